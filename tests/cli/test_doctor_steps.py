from __future__ import annotations

import pytest

from rcex_ws.cli.doctor_steps import DoctorStep, StepResult, StepVerdict


@pytest.mark.parametrize(
    ("step", "verdict", "ends_it"),
    [
        (DoctorStep.LOGIN, StepVerdict.FAILED, True),
        (DoctorStep.LOGIN, StepVerdict.OK, False),
        (DoctorStep.TLS, StepVerdict.SKIPPED, False),
        (DoctorStep.CLOCK, StepVerdict.FAILED, False),
        (DoctorStep.PERMISSIONS, StepVerdict.FAILED, False),
        (DoctorStep.RECOVERY, StepVerdict.FAILED, False),
    ],
)
def test_only_what_no_later_step_can_do_without_ends_it(step: DoctorStep, verdict: StepVerdict, ends_it: bool) -> None:
    assert StepResult(step, verdict, 0.0, "").ends_it is ends_it
