"""Servers in processes of their own: started, pinned to one core, asked what they have used, and ended."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

ROOT: Final = Path(__file__).parents[1]
PATIENCE: Final = 90.0
"""How long a server may take until it listens, in seconds: five thousand tools take some libraries a while."""
_FILES: Final = 8192


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is measured, and in which of its modes."""

    name: str
    module: str
    mode: str = "bare"
    key: str | None = None
    python: str = sys.executable


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core serves and which one asks; both are the same where there is only one."""

    server: int
    client: int

    @classmethod
    def choose(cls) -> Cores:
        """The first two cores that we may use."""
        allowed = sorted(os.sched_getaffinity(0))
        return cls(allowed[0], allowed[-1])


class Server:
    """One server that listens on a port of this machine."""

    def __init__(self, subject: Subject, tools: int, core: int) -> None:
        self.port = _free_port()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `stop`
        command = [
            subject.python,
            "-m",
            f"benchmarks.servers.{subject.module}",
            str(self.port),
            subject.mode,
            str(tools),
        ]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=clean_environment(), stdout=subprocess.DEVNULL, stderr=self._said
        )
        os.sched_setaffinity(self._process.pid, {core})
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    @property
    def cpu(self) -> float:
        """The seconds of CPU that the process has used, all threads together, to the nanosecond."""
        clock_of_process = (~self._process.pid << 3) | 2  # as clock_getcpuclockid(3) makes it
        return time.clock_gettime(clock_of_process)

    @property
    def memory(self) -> int:
        """The bytes of memory that the process holds at present."""
        resident = Path(f"/proc/{self._process.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(resident) * resource.getpagesize()

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._said.close()

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                self._said.seek(0)
                raise RuntimeError(f"a server did not start: {self._said.read()[-2000:].decode(errors='replace')}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise RuntimeError("a server did not listen in time")


class Servers:
    """Servers that are started when they are first needed, and stopped together."""

    def __init__(self, cores: Cores, tools: int) -> None:
        self._cores = cores
        self._tools = tools
        self._running: dict[Subject, Server] = {}
        self._stops = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop those that were started."""
        self._stops.close()

    def of(self, subject: Subject) -> Server:
        """The server of this subject."""
        server = self._running.get(subject)
        if server is None:
            server = self._running[subject] = Server(subject, self._tools, self._cores.server)
            self._stops.callback(server.stop)
        return server


def clean_environment() -> dict[str, str]:
    """An environment in which nobody finds settings that were meant for somebody else."""
    return {name: value for name, value in os.environ.items() if name in {"HOME", "LANG", "PATH", "TMPDIR"}}


def allow_many_files() -> None:
    """A thousand streams are a thousand files, for us and for the servers, which inherit this."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_FILES, most) if most > 0 else _FILES, most))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
