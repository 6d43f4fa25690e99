"""Programs that ask for a browser by a line in what they print."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import IO

_ADDRESS = re.compile(r"http://\S+/authorize\?\S+")


def nobody(url: str) -> None:
    """Who is there if nobody is to be asked."""
    raise AssertionError(f"somebody was asked to sign in at {url}")


class Watching(threading.Thread):
    """Reads what a program prints, to its end, and sends a person to each address that it asks for.

    Args:
        printed: What it prints.
        act: What the person does with the address.
        listening: What it prints once it can receive the browser, if that may be later than the address.
    """

    def __init__(self, printed: IO[str], act: Callable[[str], None], listening: str = "") -> None:
        super().__init__(daemon=True)
        self.lines: list[str] = []
        self.visits = 0
        self._printed = printed
        self._act = act
        self._listening = listening
        self.start()

    def run(self) -> None:
        asked: list[str] = []
        listened = 0
        for line in self._printed:
            self.lines.append(line)
            listened += self._listening in line
            asked += _ADDRESS.findall(line)
            if self.visits < min(len(asked), listened):
                self.visits += 1
                self._act(asked[self.visits - 1])
        self._printed.close()

    @property
    def text(self) -> str:
        return "".join(self.lines)
