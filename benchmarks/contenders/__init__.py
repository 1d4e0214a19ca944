"""The clients that are measured, each as a process that takes orders; see `benchmarks.common.worker`.

`ours` and `ceiling` know the same orders, `npm.mjs` and `sdk.py` those that their clients can do.
"""
