"""What holds for every test."""

from __future__ import annotations

import logging
import os
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from exporter.logs import LogfmtFormatter

if TYPE_CHECKING:
    from collections.abc import Generator

MEANINGFUL = ("AZURE_", "ENTRA_", "IDENTITY_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
#: What is planted in every secret and user name of the tests, and how every token of the simulated Entra begins.
CANARY = re.compile(r"canary|eyJ\w", re.IGNORECASE)


# A busy machine is no failure, and a test that fails fails again.
settings.register_profile("steady", deadline=None, derandomize=True, database=None)
settings.load_profile("steady")


class Heard(logging.Handler):
    """Keeps every line that the product logs, at any level, as the product writes it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(LogfmtFormatter())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


heard = Heard()
logging.getLogger("exporter").addHandler(heard)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test, whatever else it claims, in which a canary was printed or logged."""
    report = yield
    printed = [text for name, text in report.sections if "stdout" in name or "stderr" in name]
    lines = "\n".join(printed + heard.lines).splitlines()
    heard.lines.clear()
    if report.passed and (leaked := [line for line in lines if CANARY.search(line)]):
        report.outcome, report.longrepr = "failed", "a secret, a token or a name was printed:\n" + "\n".join(leaked)
    return report


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what a developer's own environment would tell the product: accounts, flags and proxies."""
    for name in list(os.environ):
        if name.upper().startswith(MEANINGFUL):
            monkeypatch.delenv(name)
