"""Logins: how many in a second, what each step of one costs, and what one leaves in the store."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Final

from starlette.types import ASGIApp

from benchmarks.oauth.backends import Backend
from benchmarks.oauth.callers import Login, Person, Program, Steps, login
from benchmarks.oauth.spread import Spread
from mcp_server.stores import Store

PEOPLE: Final = 20
PROGRAMS: Final = 20
AT_ONCE: Final = 16
_WARM_UP: Final = 50


@dataclass(slots=True)
class Logins:
    """What was found of them."""

    count: int = 0
    one_by_one_per_s: float = 0.0
    at_once_per_s: float = 0.0
    cpu: Spread = field(default_factory=Spread)
    """Microseconds of a whole login, those that refresh and those that do not together."""
    steps: dict[str, Spread] = field(default_factory=dict[str, Spread])
    bytes_each: float = 0.0
    """What the store has grown by."""


async def arrive(app: ASGIApp, steps: Steps) -> tuple[list[Person], list[Program]]:
    """Everybody who will log in: the clients have registered, the people have signed in by their passwords."""
    programs = [Program(app, steps) for _ in range(PROGRAMS)]
    people = [Person(app, f"person-{number}", steps) for number in range(PEOPLE)]
    for program in programs:
        await program.register()
    for person in people:
        await person.sign_in(await programs[0].begin("v" * 43, "s"))
    return people, programs


async def measure(app: ASGIApp, backend: Backend, store: Store, count: int) -> tuple[Logins, list[Login]]:
    """Log in so often: most of it one after the other, so that the CPU of each step is known; some at once."""
    steps, choice = Steps(), random.Random(1)
    people, programs = await arrive(app, steps)

    async def one(number: int, into: Steps) -> Login:
        person, program = choice.choice(people), choice.choice(programs)
        person.steps = program.steps = into
        return await login(program, person, refreshes=number % 2 == 1)

    for number in range(_WARM_UP):
        await one(number, Steps())
    found = Logins(count)
    before, done, together = backend.size(store), list[Login](), count // 10
    wholes: list[int] = []
    began = time.perf_counter()
    for number in range(count - together):
        seen = Steps()
        done.append(await one(number, seen))
        wholes.append(sum(sum(taken) for taken in seen.taken.values()))
        for name, taken in seen.taken.items():
            steps.taken.setdefault(name, []).extend(taken)
    found.one_by_one_per_s = len(done) / (time.perf_counter() - began)
    numbers = iter(range(together))

    async def in_turn() -> None:
        for number in numbers:
            done.append(await one(number, Steps()))

    began = time.perf_counter()
    await asyncio.gather(*(in_turn() for _ in range(AT_ONCE)))
    found.at_once_per_s = together / (time.perf_counter() - began)
    found.bytes_each = (backend.size(store) - before) / count
    found.cpu = Spread.of(wholes)
    found.steps = {name: Spread.of(taken) for name, taken in steps.taken.items()}
    return found, done
