"""Benchmarks: one program each, which prints ratios against peers measured in the same run; see docs/performance.md."""
