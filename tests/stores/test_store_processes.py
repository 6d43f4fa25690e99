"""Several processes on one store, started at once and killed in the middle of what they do."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import IO

from mcp_server.stores import Store
from tests.store_backends import Backend, backend

WORKER = Path(__file__).with_name("store_worker.py")
ROOT = Path(__file__).parents[2]


class Worker:
    """A process that works on a store, and what it has reported."""

    def __init__(self, backend: Backend, what: str, name: str = "") -> None:
        command = [sys.executable, str(WORKER), backend.url, backend.prefix, what, name]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests")))}
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
        assert self._process.stdout is not None
        self._output: IO[str] = self._process.stdout
        self.done: list[str] = []

    def opened(self) -> None:
        """Wait until it has opened the store."""
        assert self._output.readline() == "open\n"

    def does(self, times: int) -> None:
        """Wait until it has done so much."""
        for _ in range(times):
            line = self._output.readline()
            assert line.endswith("\n"), "it has ended"
            self.done.append(line.strip())

    def ends(self) -> None:
        """Wait for its end, and read what is left of its report."""
        rest = self._output.read()
        self._process.wait()
        # A line without an end was being written when the process was killed.
        self.done += [line.strip() for line in rest.splitlines(keepends=True) if line.endswith("\n")]
        self._output.close()

    def kill(self) -> None:
        """End it between any two of its instructions."""
        self._process.kill()
        self.ends()

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()


@contextlib.contextmanager
def working(backend: Backend, what: str, *names: str) -> Generator[list[Worker]]:
    """Processes that all start at once; the first of them finds nothing there yet."""
    workers = [Worker(backend, what, name) for name in names]
    try:
        for worker in workers:
            worker.opened()
        yield workers
    finally:
        for worker in workers:
            if worker.exit_code is None:
                worker.kill()


def test_what_a_killed_process_has_added_is_there_once(shared_store: Backend) -> None:
    reported: list[int] = []
    with working(shared_store, "add", "w") as (worker,):
        worker.does(25)
        worker.kill()
        reported = [int(number) for number in worker.done]

    async def check(store: Store) -> None:
        records = await store.find("added", limit=100_000)
        numbers = [int(record.value) for record in records]
        assert numbers == list(range(len(numbers)))
        assert 0 <= len(numbers) - len(reported) <= 1  # one may have been added and not reported
        assert [record.key for record in await store.find("added", owner="w", limit=100_000)] == [
            record.key for record in records
        ]

    shared_store.run(check)


def test_processes_that_count_together_lose_and_double_nothing(shared_store: Backend) -> None:
    with working(shared_store, "count", "a", "b", "c") as workers:
        for worker in workers:
            worker.does(5)
            worker.kill()
        reported = [int(number) for worker in workers for number in worker.done]

    async def check(store: Store) -> None:
        record = await store.get("count", "all")
        assert record is not None
        assert len(set(reported)) == len(reported)
        assert 0 <= int(record.value) - len(reported) <= len(workers)

    shared_store.run(check)


def test_of_processes_that_take_the_same_records_each_gets_its_own(shared_store: Backend) -> None:
    many = 150

    async def fill(store: Store) -> None:
        for number in range(many):
            await store.put("taken", f"{number:04}", b"", lifetime=None)

    shared_store.run(fill)
    with working(shared_store, "take", "a", "b", "c") as workers:
        workers[0].kill()
        for worker in workers[1:]:
            worker.ends()
        taken = [key for worker in workers for key in worker.done]
        assert [worker.exit_code for worker in workers[1:]] == [0, 0]
    assert len(set(taken)) == len(taken)
    assert many - len(taken) <= 1  # the killed one may have taken one that it could not report


def _modes(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


def test_a_sqlite_file_can_be_read_by_its_owner_only(tmp_path: Path) -> None:
    with backend("sqlite", tmp_path) as found:
        path = tmp_path / "store.db"
        path.touch(0o644)

        async def check(store: Store) -> None:
            await store.put("kind", "key", b"", lifetime=None)
            assert _modes(tmp_path) == {"store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600}

        found.run(check)
