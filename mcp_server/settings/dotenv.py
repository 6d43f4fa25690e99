"""The `.env` file, in the syntax on which python-dotenv, systemd's `EnvironmentFile` and docker's `--env-file` agree.

    KEY=value      up to the end of the line; no quotes, no `export`, no spaces around it, no comment after it
    # comment      on a line of its own

Whatever one of the three would read differently is refused here, by name, so that a file which works on a laptop
means the same in a container. Must not know what the variables mean, only which names are known.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mcp_server.settings.problems import Problem

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN_NAME: Final = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_COMMENT: Final = re.compile(r"(?:^|\s)#")
_BLANK: Final = " \t"
_ASSIGNMENT: Final = "is not understood: write NAME=value, or # and a comment"


@dataclass(frozen=True, slots=True)
class Dotenv:
    """What a file says, and what is wrong with it; a variable with a problem has no value here."""

    values: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()


def read_dotenv(path: Path, known: Collection[str]) -> Dotenv:
    """Read the file, if there is one; nothing is raised, since the environment may have problems to report as well."""
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return Dotenv()
    except UnicodeDecodeError:
        return _unreadable(path, "must be saved as UTF-8")
    except OSError as error:
        return _unreadable(path, f"cannot be read: {error.strerror}")
    if text.startswith("\ufeff"):
        return _unreadable(path, "must be saved as UTF-8 without a byte order mark")
    return _Reading(path.name, known).of(text)


def fault_in(value: str) -> str | None:
    """What makes a value mean different things to different readers, wherever it came from."""
    if _CONTROL.search(value):
        return "must be on one line and have no control characters"
    if _COMMENT.search(value):
        return "must not contain # after a space: it would become part of the value; put comments on their own line"
    if value.startswith(("'", '"')):
        return "must be written without quotes"
    return None


def _fault_in_file(value: str) -> str | None:
    if value != value.strip():
        return "must have no spaces around the value"
    if "\\" in value:
        return "must not contain a backslash, which some readers remove; in a path write / instead"
    if "$" in value:
        return "must not contain a dollar sign, which some readers replace; in a URL write %24 instead"
    return fault_in(value)


def _unreadable(path: Path, rule: str) -> Dotenv:
    return Dotenv(problems=(Problem(path.name, rule),))


class _Reading:
    """One pass over a file."""

    def __init__(self, file: str, known: Collection[str]) -> None:
        self._file = file
        self._known = known
        self._values: dict[str, str] = {}
        self._lines: dict[str, list[int]] = {}
        self._problems: list[Problem] = []

    def of(self, text: str) -> Dotenv:
        for number, line in enumerate(text.split("\n"), start=1):
            self._read(number, line.removesuffix("\r"))
        broken = {problem.variable for problem in self._problems}
        values = {name: value for name, value in self._values.items() if name not in broken}
        return Dotenv(values, tuple(self._problems), (*self._repeated(), *self._unknown()))

    def _read(self, number: int, line: str) -> None:
        if not line.strip(_BLANK):
            return
        if line.lstrip(_BLANK).startswith("#"):
            self._read_comment(number, line)
            return
        name, equals, value = line.partition("=")
        if not equals or not _NAME.fullmatch(name):
            self._refuse(number, self._misspelling(name))
            return
        self._lines.setdefault(name, []).append(number)
        self._values[name] = value
        if fault := _fault_in_file(value):
            self._refuse(number, fault, name)

    def _read_comment(self, number: int, line: str) -> None:
        if line.endswith("\\"):  # to systemd, that used to make a comment of the next line as well
            self._refuse(number, "must not end with a backslash")
        elif _CONTROL.search(line):  # a lone carriage return begins a line to some
            self._refuse(number, "must have no control characters")

    def _refuse(self, number: int, rule: str, name: str = "") -> None:
        """Name the variable if that can do no harm: a line that is none may be the rest of somebody's key."""
        if _PLAIN_NAME.fullmatch(name):
            self._problems.append(Problem(name, rule, where=f"{self._file}, line {number}"))
        else:
            self._problems.append(Problem(f"{self._file}, line {number},", rule))

    @staticmethod
    def _misspelling(name: str) -> str:
        if name.startswith("export "):
            return "must be written without export, as NAME=value"
        if _NAME.fullmatch(name.strip()):
            return "must have no spaces around the name and an = after it"
        return _ASSIGNMENT

    def _repeated(self) -> Iterator[str]:
        for name, lines in self._lines.items():
            if len(lines) > 1:
                places = ", ".join(map(str, lines))
                yield f"{self._shown(name)} is set more than once in {self._file} (lines {places}); the last one counts"

    def _unknown(self) -> Iterator[str]:
        strangers: list[str] = []
        for name in self._lines:
            if name in self._known:
                continue
            if likely := difflib.get_close_matches(name.upper(), self._known, n=1, cutoff=0.75):
                yield f"{self._shown(name)} in {self._file} is not a variable of this server; is {likely[0]} meant?"
            else:
                strangers.append(self._shown(name))
        if strangers:
            yield f"{self._file} sets what this server does not read: {', '.join(strangers)}"

    def _shown(self, name: str) -> str:
        return name if _PLAIN_NAME.fullmatch(name) else f"the name on line {self._lines[name][0]}"
