"""Grants on all four stores: what becomes of them, many at once, and with a process that dies in the middle."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from dying import WRITES
from granting import ASKED, CLIENT, Granting, code_in
from pydantic_core import from_json

from mcp_server.oauth.access import VerifierUnavailable
from mcp_server.oauth.approvals import NotPending, Person
from mcp_server.oauth.server import grants as grants_room
from mcp_server.oauth.server.client import Client
from mcp_server.oauth.server.faults import Fault
from mcp_server.oauth.server.grant import MOST_ACCESS, MOST_REFRESH
from mcp_server.oauth.server.grants import KIND, PENDING, end_grants, listed
from mcp_server.oauth.server.handles import digest
from mcp_server.oauth.server.options import ServerOptions
from mcp_server.oauth.server.registrations import Registrations, add_known
from mcp_server.oauth.server.registrations import listed as listed_clients
from mcp_server.oauth.server.verifier import OwnTokens
from mcp_server.stores import Record, Store
from mcp_server.stores.memory import MemoryStore
from tests.store_backends import PATIENCE, Backend, Clock

HERE = Path(__file__).parent
MANY = 25


def on(backend: Backend, store: Store, **options: Any) -> Granting:
    return Granting(store, backend.clock or Clock(time.time()), options)


async def refused(doing: Any) -> str:
    with pytest.raises(Fault) as caught:
        await doing
    return caught.value.error


def test_of_many_who_bring_one_code_one_succeeds(any_store: Backend) -> None:
    async def test(store: Store) -> None:
        granting = on(any_store, store)
        code = await granting.code()
        found = await asyncio.gather(*(granting.redeem(code) for _ in range(MANY)), return_exceptions=True)
        assert len([each for each in found if not isinstance(each, BaseException)]) == 1
        assert {each.error for each in found if isinstance(each, Fault)} == {"invalid_grant"}
        assert len([each for each in found if isinstance(each, Fault)]) == MANY - 1

    any_store.run(test)


def test_of_many_who_decide_one_request_one_succeeds(any_store: Backend) -> None:
    async def test(store: Store) -> None:
        granting = on(any_store, store)
        identity = await granting.grants.begin(CLIENT, ASKED)
        deciding = [granting.grants.allow(identity, Person(f"local:{n}")) for n in range(MANY)]
        found = await asyncio.gather(*deciding, granting.grants.refuse(identity), return_exceptions=True)
        assert len([each for each in found if isinstance(each, str)]) == 1
        assert len([each for each in found if isinstance(each, NotPending)]) == MANY

    any_store.run(test)


def test_a_client_that_refreshes_many_times_at_once_gets_good_tokens_each_time(any_store: Backend) -> None:
    async def test(store: Store) -> None:
        granting = on(any_store, store)
        first = await granting.tokens()
        found = await asyncio.gather(*(granting.refresh(first.refresh) for _ in range(MANY)))
        assert len({each.refresh for each in found}) == MANY
        for each in found:
            assert await granting.grants.access(each.access) is not None
        for each in found:
            assert (await granting.refresh(each.refresh)).refresh

    any_store.run(test)


def test_a_token_that_one_process_revokes_is_gone_for_another_after_the_stated_delay(any_store: Backend) -> None:
    async def test(store: Store) -> None:
        one, other = on(any_store, store), on(any_store, store)
        other.clock = one.clock
        tokens = await one.tokens()
        assert await one.grants.access(tokens.access) is not None
        assert await other.grants.access(tokens.access) is not None
        await one.grants.end(CLIENT, tokens.access)
        assert await one.grants.access(tokens.access) is None, "at once where it was revoked"
        assert await other.grants.look(tokens.access) is None, "introspection is never late"
        verifier = OwnTokens(other.grants)
        assert await verifier.verify(tokens.access) is not None
        assert await verifier.verify(tokens.access, anew=True) is None, "nor is what ends streams"
        at_once = on(any_store, store, revocation_delay=0)
        assert await at_once.grants.access(tokens.access) is None

    any_store.run(test)


def test_nothing_in_a_store_opens_anything(any_store: Backend) -> None:
    async def test(store: Store) -> None:
        granting = on(any_store, store)
        identity = await granting.grants.begin(CLIENT, ASKED)
        code = await granting.code()
        tokens = await granting.tokens()
        registrations = Registrations(store, ServerOptions("https://a.example"), granting.clock)
        client, secret = await registrations.register(Client("", method="client_secret_post"))
        assert secret
        kept = ""
        for kind in (KIND, PENDING, "oauth-client"):
            for record in await store.find(kind):
                kept += f"{record.key} {record.value.decode()} {record.owner}\n"
        assert client.id in kept
        assert "local:anna" in kept
        for handed_out in (identity, code, tokens.access, tokens.refresh or "", secret):
            assert handed_out not in kept
            assert handed_out[:32] not in kept
            assert handed_out[32:64] not in kept or len(handed_out) < 64

    any_store.run(test)


def test_what_nobody_exchanges_goes_by_itself(any_store: Backend) -> None:
    async def test(store: Store) -> None:
        granting = on(any_store, store, code_lifetime=0.2, pending_lifetime=0.2)
        identity = await granting.grants.begin(CLIENT, ASKED)
        await granting.code()
        (grant,) = await store.find(KIND)
        await any_store.outlive(store, KIND, grant.key)
        await any_store.outlive(store, PENDING, digest(identity))
        with pytest.raises(NotPending):
            await granting.grants.pending(identity)

    any_store.run(test)


@pytest.mark.parametrize("text", ["'; DROP TABLE records; --", "\" OR ''='", "a\u2028b", "%s %d {0} $1", "\\x00"])
def test_what_strangers_write_is_only_ever_text(any_store: Backend, text: str) -> None:
    async def test(store: Store) -> None:
        granting = on(any_store, store)
        client = Client("x", text, redirect_uris=("https://client.example/cb",))
        identity = await granting.grants.begin(client, ASKED)
        assert (await granting.grants.pending(identity)).client_name == text
        await granting.grants.allow(identity, Person(text, text))
        assert [grant.subject async for _, grant in listed(store, subject=text)] == [text]
        assert await refused(granting.redeem(text)) == "invalid_grant"
        assert await refused(granting.refresh(text)) == "invalid_grant"
        assert await granting.grants.access(text) is None
        assert await Registrations(store, ServerOptions("https://a.example"), granting.clock).find(text) is None

    any_store.run(test)


def test_the_grants_of_a_person_or_of_a_client_are_found_and_ended(any_store: Backend) -> None:
    async def test(store: Store) -> None:
        granting = on(any_store, store)
        tokens = [await granting.tokens(f"local:{n % 2}") for n in range(6)]
        assert len([each async for each in listed(store)]) == 6
        assert await end_grants(store, subject="local:0", client="another") == 0
        assert await end_grants(store, subject="local:0", client=CLIENT.id) == 3
        assert [grant.subject async for _, grant in listed(store)] == ["local:1"] * 3
        assert await refused(granting.refresh(tokens[0].refresh)) == "invalid_grant"
        assert await end_grants(store, client=CLIENT.id) == 3

    any_store.run(test)


def test_a_client_of_the_operator_is_added_once_and_lasts(any_store: Backend) -> None:
    async def test(store: Store) -> None:
        registrations = Registrations(store, ServerOptions("https://a.example"), Clock(time.time()))
        client = Client("mine", "Mine", "settings", ("https://a.example/cb",), scopes=("read",))
        assert await add_known(store, client)
        assert not await add_known(store, client)
        await registrations.used(client)
        assert await registrations.find("mine") == client
        assert [(record.expires, found) async for record, found in listed_clients(store)] == [(None, client)]

    any_store.run(test)


# With one store; it is the rules that are looked at


def in_memory(test: Any) -> None:
    async def main() -> None:
        clock = Clock(time.time())
        store = MemoryStore(clock=clock)
        await store.open()
        await test(Granting(store, clock))

    asyncio.run(main())


def test_no_token_that_was_handed_out_is_dropped_for_another() -> None:
    async def test(granting: Granting) -> None:
        first = await granting.tokens()
        found = [await granting.refresh(first.refresh) for _ in range(MOST_REFRESH - 1)]
        assert await refused(granting.refresh(first.refresh)) == "temporarily_unavailable"
        assert await granting.grants.look(found[0].refresh or "") is not None
        granting.clock.now += 31
        assert await granting.refresh(found[0].refresh)

    in_memory(test)


def test_the_oldest_access_token_makes_room() -> None:
    async def test(granting: Granting) -> None:
        tokens = [await granting.tokens()]
        for _ in range(MOST_ACCESS):
            tokens.append(await granting.refresh(tokens[-1].refresh))
        good = [await granting.grants.look(each.access) is not None for each in tokens]
        assert good == [False] + [True] * MOST_ACCESS

    in_memory(test)


def test_a_grant_takes_no_more_room_the_longer_it_lasts() -> None:
    async def test(granting: Granting) -> None:
        tokens = await granting.tokens()
        sizes: set[int] = set()
        for round_ in range(30):
            granting.clock.now += 3600
            tokens = await granting.refresh(tokens.refresh)
            (record,) = await granting.store.find(KIND)
            if round_ > 2:
                sizes.add(len(record.value))
        assert max(sizes) - min(sizes) < 20

    in_memory(test)


def test_an_answer_from_memory_is_no_older_than_was_said() -> None:
    async def test(granting: Granting) -> None:
        tokens = await granting.tokens()
        other = Granting(granting.store, granting.clock)
        assert await other.grants.access(tokens.access) is not None
        await end_grants(granting.store)
        assert await other.grants.access(tokens.access) is not None
        granting.clock.now += 5
        assert await other.grants.access(tokens.access) is None

    in_memory(test)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grants_room, "_CACHED", 3)

    async def test(granting: Granting) -> None:
        tokens = [await granting.tokens() for _ in range(5)]
        for each in tokens:
            assert await granting.grants.access(each.access) is not None
        await end_grants(granting.store)
        found = [await granting.grants.access(each.access) is not None for each in tokens]
        assert found == [False, False, True, True, True]

    in_memory(test)


def test_a_grant_that_ends_while_a_token_is_looked_at_is_not_remembered() -> None:
    async def test(granting: Granting) -> None:
        tokens = await granting.tokens()
        asked, go_on = asyncio.Event(), asyncio.Event()

        class Slow(MemoryStore):
            async def get(self, kind: str, key: str) -> Record | None:
                found = await granting.store.get(kind, key)
                asked.set()
                await go_on.wait()
                return found

            async def delete(self, kind: str, key: str) -> bool:
                return await granting.store.delete(kind, key)

        slow = Granting(Slow(), granting.clock)
        looking = asyncio.create_task(slow.grants.access(tokens.access))
        await asked.wait()
        ending = asyncio.create_task(slow.grants.end(CLIENT, tokens.access))
        go_on.set()
        await asyncio.gather(looking, ending)
        assert await slow.grants.access(tokens.access) is None

    in_memory(test)


def test_when_the_store_is_away_no_token_is_good() -> None:
    async def test(granting: Granting) -> None:
        tokens = await granting.tokens()
        await granting.store.close()
        with pytest.raises(VerifierUnavailable):
            await OwnTokens(granting.grants).verify(tokens.access)

    in_memory(test)


def test_a_change_that_always_loses_is_given_up() -> None:
    async def test(granting: Granting) -> None:
        code = await granting.code()
        tokens = await granting.tokens()

        async def lose(*_: Any, **__: Any) -> bool:
            return False

        granting.store.swap = lose  # type: ignore[method-assign]
        assert await refused(granting.redeem(code)) == "temporarily_unavailable"
        assert await refused(granting.refresh(tokens.refresh)) == "temporarily_unavailable"

    in_memory(test)


# Dying


class Killed(BaseException):
    """The process has died here."""


class Mortal(MemoryStore):
    """A store whose process dies at one of its writes: just before it, or just after."""

    def __init__(self, clock: Clock, at: int, *, after: bool) -> None:
        super().__init__(clock=clock)
        self._left = at
        self._after = after

    async def _write(self, doing: Any) -> Any:
        self._left -= 1
        if self._left == 0 and not self._after:
            doing.close()
            raise Killed
        found = await doing
        if self._left == 0:
            raise Killed
        return found

    async def put(self, kind: str, key: str, value: bytes, *, lifetime: float | None, owner: str = "") -> None:
        await self._write(super().put(kind, key, value, lifetime=lifetime, owner=owner))

    async def take(self, kind: str, key: str) -> Record | None:
        return await self._write(super().take(kind, key))

    async def swap(self, kind: str, key: str, before: bytes, after: bytes, *, lifetime: float | None) -> bool:
        return await self._write(super().swap(kind, key, before, after, lifetime=lifetime))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 6))
def test_a_death_at_any_write_leaves_nothing_half_done(at: int, after: bool) -> None:
    """begin (put), allow (take, put), redeem (swap), refresh (swap): a new process goes on with what was handed out."""

    async def main() -> None:
        clock = Clock(time.time())
        store = Mortal(clock, at, after=after)
        await store.open()
        granting = Granting(store, clock)
        identity = code = refresh = ""
        try:
            identity = await granting.grants.begin(CLIENT, ASKED)
            code = code_in(await granting.grants.allow(identity, Person("local:anna")))
            refresh = (await granting.redeem(code)).refresh or ""
            refresh = (await granting.refresh(refresh)).refresh or ""
            pytest.fail("it has not died")
        except Killed:
            pass
        again = Granting(store, clock)
        if refresh:  # whatever became of the last answer, what the client has still works, once or in its grace
            assert await again.refresh(refresh)
        elif code:  # it was not used, or it was: then it is not good twice
            used = at == 4 and after
            if used:
                assert await refused(again.redeem(code)) == "invalid_grant"
            else:
                assert await again.redeem(code)
        elif identity:  # the person can decide, or starts again
            if at == 2 and not after:
                assert await again.grants.allow(identity, Person("local:anna"))
            else:
                with pytest.raises(NotPending):
                    await again.grants.pending(identity)
        grants: Sequence[Record] = await store.find(KIND)
        assert len(grants) <= 1

    asyncio.run(main())


@pytest.mark.parametrize("round_", range(2))
def test_a_process_that_is_killed_loses_and_doubles_nothing(shared_store: Backend, round_: int) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (HERE.parents[2], HERE.parents[1])))}
    command = [sys.executable, str(HERE / "granting.py"), shared_store.url, shared_store.prefix]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(12 + round_)]
    child.kill()
    lines += child.stdout.readlines()
    child.wait()
    child.stdout.close()
    said = [line.split() for line in lines if line.endswith("\n")]
    assert said[0] == ["open"]
    latest = {words[1]: words for words in said[1:] if words[0] == "tokens"}
    codes = [words[1] for words in said if words[0] == "code"]

    async def test(store: Store) -> None:
        granting = Granting(store, Clock(time.time()))
        for _, _, access, refresh in latest.values():
            assert await granting.grants.access(access) is not None
            assert await granting.refresh(refresh)
        for code in codes[:-1]:
            assert await refused(granting.redeem(code)) == "invalid_grant"
            assert await refused(granting.refresh(latest[code][3])) == "invalid_grant"

    if shared_store.clock is not None:
        shared_store.clock.now = time.time()
    shared_store.run(test)


@pytest.mark.parametrize("write", WRITES)
def test_behind_every_write_a_kill_leaves_what_the_page_says(shared_store: Backend, write: str) -> None:
    """docs/oauth-server.md has the table; registrations are one write, which is there or not."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (HERE.parents[2], HERE.parents[1])))}
    behind = str(WRITES.index(write) + 1)
    ran = subprocess.run(
        [sys.executable, str(HERE / "dying.py"), shared_store.url, shared_store.prefix, behind],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    had = dict(line.split() for line in ran.stdout.splitlines())

    async def test(store: Store) -> None:
        granting = Granting(store, Clock(time.time()))
        registrations = Registrations(store, ServerOptions("https://mcp.example"), time.time)
        [(kept, client)] = [each async for each in listed_clients(store)]
        assert client.redirect_uris == CLIENT.redirect_uris
        assert ("client" in had) == (write != "register")
        if "client" in had:
            assert await registrations.find(had["client"]) == client
            used = WRITES.index(write) >= WRITES.index("used")
            assert (from_json(kept.value)["used"] is not None) == used
        if "asked" in had:  # it is decided, or it never was: the person starts again
            with pytest.raises(NotPending):
                await granting.grants.pending(had["asked"])
        assert len(await store.find(KIND)) == (WRITES.index(write) >= WRITES.index("allow"))
        if "refresh" in had:
            assert await granting.refresh(had["refresh"])
        elif "code" in had:
            assert await refused(granting.redeem(had["code"])) == "invalid_grant"
            assert await store.find(KIND) == []
        assert await granting.tokens("local:bob")

    if shared_store.clock is not None:
        shared_store.clock.now = time.time()
    shared_store.run(test)
