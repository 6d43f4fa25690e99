"""What a user reads instead of a traceback."""

from __future__ import annotations

import click


class Problem(click.ClickException):
    """Something the user can mend: what is wrong in one line, and what to do next. Exits with 1."""

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(what)
        self.todo = todo

    def format_message(self) -> str:
        """Both lines, as click shows them after `Error: `."""
        return f"{self.message}\n  {self.todo}"


class NoServer(Problem):
    """What was named as a server is none."""


class Misuse(Problem):
    """A problem with how the command was written. Exits with 2, as click does for its own."""

    exit_code = 2
