"""Programs that a test needs and a machine may lack."""

from __future__ import annotations

import os
import shutil

import pytest


def needed(program: str) -> str:
    """The path of a program that CI has; elsewhere the test is skipped without it."""
    found = shutil.which(program)
    if found is None:
        if os.environ.get("MCP_REQUIRE_SERVICES"):
            pytest.fail(f"{program} is not installed")
        pytest.skip(f"{program} is not installed")
    return found


def optional(program: str) -> str:
    """The path of a program; without it, the test is skipped."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found
