"""A server in a process of its own, and the pipes that lead to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from fakes import message, meta

import mcp_server

_CHILD = Path(__file__).with_name("child.py")
_PATH = os.pathsep.join([str(_CHILD.parents[1]), str(Path(mcp_server.__file__).parents[1])])
PATIENCE = 60.0
"""How long a process may take on a busy machine before it counts as hanging."""


class Process:
    """The client's end of a child process."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdin is not None
        assert child.stdout is not None
        self.child = child
        self.input: IO[bytes] = child.stdin
        self.output: IO[bytes] = child.stdout

    def say(self, data: bytes) -> None:
        self.input.write(data + b"\n")
        self.input.flush()

    def call(self, tool: str, identity: int | str = 1, **arguments: Any) -> None:
        self.say(call(tool, identity, **arguments))

    def hear(self) -> Any:
        """The next message; empty when there will be no more."""
        line = self.output.readline()
        return json.loads(line) if line else None

    def text_of(self, tool: str, **arguments: Any) -> str:
        """The text that a tool answers."""
        self.call(tool, "once", **arguments)
        heard = self.hear()
        assert heard["id"] == "once"
        return heard["result"]["content"][0]["text"]

    def ready(self) -> None:
        """Wait until the server answers."""
        assert self.text_of("echo") == "{}"

    def leaves(self) -> int:
        """The exit code of the process, once it has left by itself."""
        return self.child.wait(PATIENCE)

    def errors(self) -> str:
        """What the process has written to its standard error until its end."""
        assert self.child.stderr is not None
        return self.child.stderr.read().decode()


def call(tool: str, identity: int | str = 1, **arguments: Any) -> bytes:
    """The line that calls a tool."""
    return message("tools/call", {"name": tool, "arguments": arguments, "_meta": meta()}, identity)


@contextmanager
def started(prefix: str = "", **environment: str) -> Generator[Process]:
    """A server that has just been started, through a shell where a prefix changes its descriptors."""
    command = [sys.executable, str(_CHILD)]
    if prefix:
        command = ["sh", "-c", f'exec "$0" "$1" {prefix}', *command]
    pipe = subprocess.PIPE
    child = subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, env={**os.environ, "PYTHONPATH": _PATH, **environment}
    )
    watchdog = threading.Timer(PATIENCE, child.kill)
    watchdog.start()
    try:
        yield Process(child)
    finally:
        watchdog.cancel()
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout, child.stderr):
            assert stream is not None
            with suppress(BrokenPipeError):
                stream.close()
