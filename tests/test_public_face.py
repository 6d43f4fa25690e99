"""What `import mcp_server` gives, and what it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import mcp_server


@pytest.mark.parametrize("name", mcp_server.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(mcp_server, name).__doc__


def test_the_public_names_are_listed() -> None:
    assert set(mcp_server.__all__) < set(dir(mcp_server))


def test_another_name_is_missing_in_the_usual_way() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Serve'"):
        _ = mcp_server.Serve  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType, reportUnknownMemberType]


def test_naming_the_package_loads_nothing_else() -> None:
    code = (
        "import sys, mcp_server; print([m for m in sys.modules if m in {'pydantic', 'asyncio', 'mcp_server.server'}])"
    )
    assert (
        subprocess.check_output([sys.executable, "-S", "-E", "-c", f"import sys; sys.path[:0]={sys.path!r}; {code}"])
        == b"[]\n"
    )
