"""Puts this directory on the path of the tests below it, which share `fakes` and `oracle`; keeps them out of HOME."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _no_files_in_the_home(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """A server that is started as people start it keeps what it keeps in a folder of these tests."""
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    yield
    if before is None:
        del os.environ["XDG_STATE_HOME"]
    else:
        os.environ["XDG_STATE_HOME"] = before
