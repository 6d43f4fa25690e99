"""Logins, token checks, revocation and what is left behind, on each store: `python -m benchmarks.oauth`.

A full run takes some fifteen minutes, much of it waiting; `taskset -c 1` keeps it to one core. The application is
called in this process, without a socket; what is counted is the CPU of this process, not that of Redis or PostgreSQL.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.load import run
from benchmarks.oauth import checks, clock, house, leftovers, logins, revocation
from benchmarks.oauth.backends import NAMES, POSTGRES, Backend, NotHere, backend
from benchmarks.oauth.tables import Found, tables
from benchmarks.results import machine
from mcp_server.stores import Store

DELAYS: Final = (5, 0)
"""OAUTH_REVOCATION_DELAY: as it is unless it is set, and asking the store each time."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done."""

    logins: int
    checks: int
    abandoned: int


async def measured(name: str, postgres: str, size: Size, say: Callable[[str], None]) -> Found:
    """Everything about one store; raises `NotHere` and `WrongAnswer`."""
    found = Found()
    with backend(name, postgres) as kept, house.reachable(kept.url) as store:
        await _used(found, kept, store, size, say)
    with backend(name, postgres) as kept, house.reachable(kept.url) as store:
        say(f"{size.abandoned:,} who never come back, twice")
        found.leftovers = await leftovers.measure(kept, store, size.abandoned)
    return found


async def _used(found: Found, kept: Backend, store: Store, size: Size, say: Callable[[str], None]) -> None:
    await house.add_people(store, [f"person-{number}" for number in range(logins.PEOPLE)])
    settings = {delay: house.settings_for(kept.url, delay) for delay in DELAYS}
    async with house.running(settings[DELAYS[0]]) as app:
        say(f"{size.logins:,} logins")
        found.logins, done = await logins.measure(app, kept, store, size.logins)
        tokens = await checks.Tokens.of(done)
        found.with_a_key = await checks.with_a_key(app, size.checks // 10)
    for delay in DELAYS:
        async with house.running(settings[delay]) as app:
            say(f"{size.checks:,} calls, and as many checks alone, with OAUTH_REVOCATION_DELAY={delay}")
            before = clock.writer()
            found.calls[delay] = await checks.in_calls(app, tokens, size.checks)
            found.log_us = (clock.writer() - before) / size.checks / 1000
            say("revocations")
            found.delays[delay] = await revocation.measure(app, kept, delay)
        # After the application, which has closed the store: the one in memory is one for both.
        found.checks[delay] = await checks.alone(settings[delay], tokens, size.checks)


def main() -> None:
    """Measure and show."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.oauth", description=__doc__)
    options.add_argument("--only", metavar="STORE", help=f"one of {', '.join(NAMES)}")
    options.add_argument("--logins", type=int, default=10_000, metavar="N")
    options.add_argument("--checks", type=int, default=100_000, metavar="N")
    options.add_argument("--abandoned", type=int, default=10_000, metavar="N", help="who begin and never come back")
    options.add_argument("--postgres", default=POSTGRES, metavar="URL", help="where a schema may be made and removed")
    options.add_argument("--json", type=Path, metavar="FILE", help="write everything here as well")
    chosen = options.parse_args()
    names = [name for name in NAMES if chosen.only is None or chosen.only.casefold() in name.casefold()]
    if not names:
        options.error(f"--only is one of {', '.join(NAMES)}")
    results: dict[str, Found] = {}
    for name in names:

        def say(what: str, name: str = name) -> None:
            print(f"{name}: {what}", file=sys.stderr, flush=True)

        try:
            size = Size(chosen.logins, chosen.checks, chosen.abandoned)
            results[name] = run(measured(name, chosen.postgres, size, say))
        except NotHere as why:
            say(f"left out, {why}")
        if chosen.json is not None:  # after each store, so that little is lost when somebody loses patience
            said: dict[str, Any] = {"machine": machine(), **{name: asdict(found) for name, found in results.items()}}
            chosen.json.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    print("\n".join(tables(results)))


if __name__ == "__main__":
    main()
