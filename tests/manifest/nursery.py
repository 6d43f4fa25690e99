"""Starts fixture servers on real pipes, each in a process of its own, without importing everything anew for each.

Two halves. `Nursery` is for the tests. At its other end is this file as a program: it makes the fixture servers, and
then forks for every name that it is sent, together with the descriptors that the new process gets for its own. What
the new process does from there is what `python fixture_server.py` does.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from fixture_server import SERVERS

from mcp_server import Server


class Nursery:
    """Starts servers, and waits for their processes; begins when it is first needed, and must be closed."""

    def __init__(self) -> None:
        self._control: socket.socket | None = None
        self._program: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._control is not None and self._program is not None:
            self._control.close()
            self._program.wait()

    def start(self, server: str, descriptors: Sequence[int]) -> int:
        """Start a server whose standard input, output and error are these; returns the id of its process."""
        return self._order(f"start {server}", descriptors)

    def wait(self, process: int) -> int:
        """The exit code of a process, once it has ended."""
        return self._order(f"wait {process}", ())

    def _order(self, order: str, descriptors: Sequence[int]) -> int:
        control = self._control or self._begin()
        socket.send_fds(control, [order.encode()], descriptors)
        return int(control.recv(32))

    def _begin(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            self._program = subprocess.Popen([sys.executable, str(Path(__file__))], stdin=theirs.fileno())
        self._control = ours
        return ours


def main() -> None:
    """Take orders from standard input, a socket, until it is closed."""
    control = socket.socket(fileno=os.dup(0))
    servers = {name: make() for name, make in SERVERS.items()}
    while True:
        order, descriptors, _, _ = socket.recv_fds(control, 256, 3)
        match order.decode().split():
            case ["start", name]:
                answer = _start(servers[name], descriptors, control)
            case ["wait", process]:
                answer = os.waitstatus_to_exitcode(os.waitpid(int(process), 0)[1])
            case _:
                return
        control.sendall(str(answer).encode())


def _start(server: Server, descriptors: list[int], control: socket.socket) -> int:
    process = os.fork()
    if process == 0:
        control.close()
        _become(server, descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    return process


def _become(server: Server, descriptors: list[int]) -> None:
    """Run this server, and end the process with it: a fork must not go on where its parent was."""
    for standard, descriptor in enumerate(descriptors):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    try:
        server.run()
    except BaseException:  # noqa: BLE001 - whatever it is, it ends here
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()
