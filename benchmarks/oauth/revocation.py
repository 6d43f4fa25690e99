"""How long after one process has revoked a token another one still believes it.

The one is this process, with the application in it; the other is started by the entry point and asked over HTTP. It is
asked right before the revocation, so that what it remembers is as fresh as can be, and then again and again.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import random
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp

from benchmarks.load import WrongAnswer
from benchmarks.oauth.backends import Backend
from benchmarks.oauth.callers import ORIGIN, Person, Program, Steps, call_with, login, put
from benchmarks.oauth.house import KEY
from benchmarks.oauth.logins import arrive
from benchmarks.processes import PATIENCE, ROOT, clean_environment

TRIES: Final = 20
_TOO_LONG: Final = 15.0
_PAUSE: Final = 0.005


@dataclass(frozen=True, slots=True)
class Delays:
    """Milliseconds from the answer to the revocation to the first refusal."""

    tries: int
    shortest: float
    longest: float


async def measure(app: ASGIApp, backend: Backend, delay: int) -> Delays:
    """Revoke here, and see when it is known: there, or here if there is nobody else."""
    people, programs = await arrive(app, Steps())
    if not backend.is_shared:
        taken = [await _here(app, programs[0], people[0]) for _ in range(TRIES)]
        return Delays(TRIES, min(taken), max(taken))
    async with another(backend.url, delay) as port:
        waits: list[asyncio.Task[float]] = []
        for number in range(TRIES):
            done = await login(programs[number % len(programs)], people[number % len(people)], refreshes=False)
            if not await _believes(port, done.access[0]):
                raise WrongAnswer("the other process does not take a good token")
            await done.program.revoke(done.refresh)
            waits.append(asyncio.create_task(_until_refused(port, done.access[0], time.perf_counter())))
        found = await asyncio.gather(*waits)
    return Delays(len(found), min(found), max(found))


async def _here(app: ASGIApp, program: Program, person: Person) -> float:
    done = await login(program, person, refreshes=False)
    (await put(app, call_with(done.access[0]))).expect(200)
    await done.program.revoke(done.refresh)
    began = time.perf_counter()
    (await put(app, call_with(done.access[0]))).expect(401)
    return (time.perf_counter() - began) * 1000


async def _until_refused(port: int, token: str, since: float) -> float:
    while await _believes(port, token):
        if time.perf_counter() - since > _TOO_LONG:
            raise WrongAnswer("a token that was revoked is still believed")
        await asyncio.sleep(_PAUSE + random.random() * _PAUSE)
    return (time.perf_counter() - since) * 1000


async def _believes(port: int, token: str) -> bool:
    return await asyncio.to_thread(_status, port, token) == 200


def _status(port: int, token: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    with contextlib.closing(connection):
        headers = {
            "Host": urlsplit(ORIGIN).netloc,
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
        }
        connection.request("POST", "/mcp", b'{"action": "list_tools"}', headers)
        return connection.getresponse().status


@contextlib.asynccontextmanager
async def another(store: str, delay: int) -> AsyncGenerator[int]:
    """A second process of the same server, as `python main_http.py` starts it; gives its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    environment = {
        **clean_environment(),
        "PORT": str(port),
        "PUBLIC_URL": ORIGIN,
        "OAUTH_ENABLED": "true",
        "OAUTH_REVOCATION_DELAY": str(delay),
        "STORE_URL": store,
        "MCP_API_KEY": KEY,
        "RATE_LIMIT": "100000000/minute",
    }
    child = subprocess.Popen(  # noqa: ASYNC220 - its own beginning is waited for below
        [sys.executable, "main_http.py"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert child.stderr is not None
    try:
        await asyncio.to_thread(_wait_for, child)
        reader = asyncio.create_task(asyncio.to_thread(child.stderr.read))
        yield port
        child.terminate()
        await reader
    finally:
        child.terminate()
        await asyncio.to_thread(child.wait, PATIENCE)
        child.stderr.close()


def _wait_for(child: subprocess.Popen[bytes]) -> None:
    assert child.stderr is not None
    said: list[bytes] = []
    for line in child.stderr:
        said.append(line)
        if b"Uvicorn running on" in line:
            return
    raise RuntimeError(f"a server did not start: {b''.join(said)[-2000:].decode(errors='replace')}")
