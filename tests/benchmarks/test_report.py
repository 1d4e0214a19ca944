"""The report of a benchmark."""

from __future__ import annotations

from benchmarks.common.options import Options
from benchmarks.common.report import Report


def test_what_others_used_is_asked_once_all_contenders_have_ended(capsys):
    asked = []

    class Machine:
        def share(self) -> float:
            asked.append("share")
            return 0.5

    options = Options(None, quick=True, rounds=1, seconds=0.02, others=Machine())
    report = Report("nothing", options, {})
    assert asked == []  # the CPU of those that run still would count as that of others
    report.finish()
    assert "others used 50% of its CPUs" in capsys.readouterr().out
