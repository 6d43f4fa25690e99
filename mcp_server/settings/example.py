"""`.env.example`, generated from the model, so that it cannot say anything else than the code does.

Must not know any variable, but for the key that the guides begin with.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final, cast

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from mcp_server.settings.variables import Variable, variables

_WIDTH: Final = 110
_BEGINNINGS: Final = {"MCP_API_KEY": "your_test_token"}
"""What a beginner's file has instead of nothing; a server in production does not start with it."""

_INTRODUCTION: Final = """\
Settings of the server. Copy this file to .env beside main.py; what is set in the environment wins over it.

One line is NAME=value, up to its end: without quotes, without export, without spaces around the = and without a
comment after it, so that systemd and docker read the same as the server. An empty value is as good as none.

A line that begins with #NAME= shows a default: take the # away to change it."""


def example(model: type[BaseSettings]) -> str:
    """The text of the file."""
    return "\n".join(_lines(model)) + "\n"


def _lines(model: type[BaseSettings]) -> Iterator[str]:
    for paragraph in _INTRODUCTION.split("\n"):
        yield f"# {paragraph}".rstrip()
    shown = (variable for variable in variables(model) if variable.shown)
    for heading, members in groupby(shown, key=lambda variable: variable.group):
        yield from ("", f"# {heading}", f"# {'-' * len(heading)}")
        for variable in members:
            yield ""
            yield from _entry(variable)


def _entry(variable: Variable) -> Iterator[str]:
    name, *others = variable.names
    default = _text(variable.default)
    says = f"{variable.says} Default: {variable.otherwise or default}."
    if others:
        says += f" Also: {', '.join(others)}."
    for line in textwrap.wrap(says, _WIDTH, break_on_hyphens=False, break_long_words=False):
        yield f"# {line}"
    yield f"#{name}={default}" if default else f"{name}={_BEGINNINGS.get(name, '')}"


def _text(default: Any) -> str:
    match default:
        case None:
            return ""
        case bool():
            return str(default).lower()
        case float():
            return f"{default:g}"
        case tuple():
            return ",".join(cast("tuple[str, ...]", default))
        case SecretStr():
            return default.get_secret_value()
        case _:
            return str(default)
