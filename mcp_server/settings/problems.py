"""What stops a start, in words for somebody who has never seen this server.

Must not know any variable. No text made here, or given to it, repeats a value: it may be a secret, or a secret that
was put into the wrong variable.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NoReturn, TextIO

EXIT_CODE: Final = 78
"""EX_CONFIG of sysexits.h, which service managers show as a fault of the configuration."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to correct: `variable` is what to look for, `rule` what to write there."""

    variable: str
    rule: str
    where: str = ""
    depends: tuple[str, ...] = ()
    """Other variables that were looked at; if one of those is wrong itself, this problem may not be one."""

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        return f"{self.variable}{place} {self.rule}"


class SettingsError(Exception):
    """The settings cannot be used; `problems` holds everything that is wrong with them, not only the first thing.

    `hints` may explain why, a misspelt name for example.
    """

    def __init__(self, problems: Iterable[Problem], *, hints: Iterable[str] = ()) -> None:
        self.problems = tuple(problems)
        self.hints = tuple(hints)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def exit_with_problems(error: SettingsError, stream: TextIO | None = None) -> NoReturn:
    """Tell what to correct, one line for each problem, on standard error unless told otherwise, and exit with 78."""
    count = len(error.problems)
    heading = "There is a problem" if count == 1 else f"There are {count} problems"
    lines = [f"{heading} with the settings; the server was not started."]
    lines += [f"  {problem}" for problem in error.problems]
    lines += [f"  (Hint: {hint}.)" for hint in error.hints]
    (stream or sys.stderr).write("\n".join(lines) + "\n")
    sys.exit(EXIT_CODE)
