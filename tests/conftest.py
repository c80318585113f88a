"""What holds for every test."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

MEANINGFUL = ("AZURE_", "ENTRA_", "IDENTITY_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


# A busy machine is no failure, and a test that fails fails again.
settings.register_profile("steady", deadline=None, derandomize=True, database=None)
settings.load_profile("steady")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what a developer's own environment would tell the product: accounts, flags and proxies."""
    for name in list(os.environ):
        if name.upper().startswith(MEANINGFUL):
            monkeypatch.delenv(name)
