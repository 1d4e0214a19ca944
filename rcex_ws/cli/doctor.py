"""`rcex-ws doctor`: find out why a program gets no events. The examination itself is in diagnosis.py."""

from __future__ import annotations

import sys
from contextlib import aclosing
from pathlib import Path

from rcex_ws.cli.credentials import Credentials, load_credentials
from rcex_ws.cli.diagnosis import diagnose, result_of
from rcex_ws.cli.doctor_report import JsonReport, LineReport, Report, TerminalReport
from rcex_ws.cli.doctor_socket import DoctorTimes
from rcex_ws.cli.doctor_steps import DoctorStep, Finding, StepVerdict
from rcex_ws.errors import ConfigurationError

__all__ = ["doctor"]


async def doctor(*, send: bool = False, json: bool = False, timeout: float = 15.0, env_file: Path | None = None) -> int:
    """Check step by step what a program needs to receive events, and say how to fix what fails.

    It finds the credentials, looks at proxy, name, TLS and clock, logs in, checks the permissions, opens a WebSocket,
    waits for a heartbeat, subscribes, cuts its own connection to see the session recovered, and cleans up. It stops at
    the first failure after which no later step can succeed.

    Args:
        send: send a message to yourself, wait for its event, and delete the message.
        json: print the results as JSON, one object a line: step, verdict, seconds, detail, advice.
        timeout: seconds for each step.
        env_file: a file with credentials to read instead of `.env`.

    Returns:
        0 if no step has failed, else 1.

    Raises:
        ConfigurationError: timeout is no such time.
    """
    times = DoctorTimes(timeout=timeout)
    report: Report
    if json:
        report = JsonReport(sys.stdout.write)
    else:
        report = TerminalReport() if sys.stdout.isatty() else LineReport(sys.stdout.write)
    with report:
        try:
            credentials = load_credentials(env_file)
        except ConfigurationError as exc:
            report.show(result_of(DoctorStep.CREDENTIALS, Finding.failure(exc)))
            return 1
        return await _examine(credentials, send, times, report)


async def _examine(credentials: Credentials, send: bool, times: DoctorTimes, report: Report) -> int:
    code = 0
    async with aclosing(diagnose(credentials, send=send, times=times)) as results:
        async for result in results:
            report.show(result)
            sys.stdout.flush()
            if result.verdict is StepVerdict.FAILED:
                code = 1
    return code
