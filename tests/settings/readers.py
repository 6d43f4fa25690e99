"""How the programs that read a `.env` read it: python-dotenv itself, and the rules of systemd and docker."""

from __future__ import annotations

from io import StringIO

from dotenv import dotenv_values

_WHITESPACE = " \t\n\r"
_NEWLINE = "\n\r"


def by_python_dotenv(text: str) -> dict[str, str | None]:
    return dict(dotenv_values(stream=StringIO(text, newline="")))


def by_docker(text: str) -> dict[str, str | None]:
    """`docker run --env-file`: whatever is after = is the value; no quotes, no comments behind it."""
    found: dict[str, str | None] = {}
    for raw in text.split("\n"):
        line = raw.removesuffix("\r").lstrip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not name or any(character in " \t" for character in name):
            raise ValueError("variable contains whitespaces")
        if equals:
            found[name] = value
    return found


def by_systemd(text: str) -> dict[str, str | None]:
    """`EnvironmentFile=`: quotes, backslashes and trailing spaces are taken away; # and ; begin a comment line."""
    return _Systemd().read(text)


class _Systemd:
    """The state machine of systemd's env-file reader, a method for each state."""

    def __init__(self) -> None:
        self.state = self.before_name
        self.name = self.value = ""
        self.kept = 0
        self.found: dict[str, str | None] = {}

    def read(self, text: str) -> dict[str, str | None]:
        for character in text:
            self.state(character)
        if self.state not in {self.before_name, self.in_name, self.in_comment, self.after_comment_backslash}:
            self.push()
        return self.found

    def push(self) -> None:
        self.found[self.name.rstrip(_WHITESPACE)] = self.value
        self.name = self.value = ""
        self.kept = 0
        self.state = self.before_name

    def before_name(self, character: str) -> None:
        if character in "#;":
            self.state = self.in_comment
        elif character not in _WHITESPACE:
            self.name, self.state = character, self.in_name

    def in_name(self, character: str) -> None:
        if character in _NEWLINE:
            self.name, self.state = "", self.before_name
        elif character == "=":
            self.state = self.before_value
        else:
            self.name += character

    def before_value(self, character: str) -> None:
        if character in _NEWLINE:
            self.push()
        elif character == "'":
            self.state = self.in_single_quotes
        elif character == '"':
            self.state = self.in_double_quotes
        elif character == "\\":
            self.state = self.after_backslash
        elif character not in _WHITESPACE:
            self.value += character
            self.kept, self.state = len(self.value), self.in_value

    def in_value(self, character: str) -> None:
        if character in _NEWLINE:
            self.value = self.value[: self.kept]
            self.push()
        elif character == "\\":
            self.state = self.after_backslash
        else:
            self.value += character
            if character not in _WHITESPACE:
                self.kept = len(self.value)

    def after_backslash(self, character: str) -> None:
        self.state = self.in_value
        if character not in _NEWLINE:
            self.value += character
            self.kept = len(self.value)

    def in_single_quotes(self, character: str) -> None:
        if character == "'":
            self.state = self.before_value
        else:
            self.value += character

    def in_double_quotes(self, character: str) -> None:
        if character == '"':
            self.state = self.before_value
        elif character == "\\":
            self.state = self.after_backslash_in_quotes
        else:
            self.value += character

    def after_backslash_in_quotes(self, character: str) -> None:
        self.state = self.in_double_quotes
        if character in '"\\`$':
            self.value += character
        elif character != "\n":
            self.value += "\\" + character

    def in_comment(self, character: str) -> None:
        if character == "\\":
            self.state = self.after_comment_backslash
        elif character in _NEWLINE:
            self.state = self.before_name

    def after_comment_backslash(self, _: str) -> None:
        self.state = self.in_comment
