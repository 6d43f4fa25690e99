"""What is kept of an authenticator app: nothing that a store gives away, and nothing that serves another account."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import asdict

import pytest
from login_house import quick_users

from mcp_server.oauth.login import totp
from mcp_server.oauth.login.locker import Locked, Locker
from mcp_server.oauth.login.passwords import Passwords
from mcp_server.oauth.login.users import KIND, Users
from mcp_server.stores.memory import MemoryStore

NEW, OLD = "n" * 40, "o" * 40
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
PASSWORD = "correct horse battery"


def code(step: int = 0) -> str:
    return totp.code_at(SECRET, int(time.time() // totp.STEP) + step)


def test_what_is_locked_opens_for_its_owner_with_each_of_the_keys() -> None:
    kept = Locker([OLD]).lock(SECRET, "anna")
    assert Locker([NEW, OLD]).open(kept, "anna") == SECRET
    assert SECRET not in kept
    assert Locker([OLD]).lock(SECRET, "anna") != kept
    assert Locker([OLD]).is_current(kept, "anna")
    assert not Locker([NEW, OLD]).is_current(kept, "anna")
    assert not Locker([NEW]).is_current(kept, "anna")


def changed(kept: str) -> str:
    return kept[:-6] + "AAAA" + kept[-2:]


@pytest.mark.parametrize(
    ("keys", "name", "change"),
    [
        ([NEW], "anna", str),
        ([], "anna", str),
        ([OLD], "bob", str),
        ([OLD], "anna", changed),
        ([OLD], "anna", "".format),
        ([OLD], "anna", SECRET.format),
        ([OLD], "anna", "a".format),
    ],
)
def test_nothing_else_opens_it(keys: list[str], name: str, change: Callable[[str], str]) -> None:
    kept = change(Locker([OLD]).lock(SECRET, "anna"))
    with pytest.raises(Locked):
        Locker(keys).open(kept, name)


def test_without_a_key_nothing_is_locked() -> None:
    with pytest.raises(Locked):
        Locker().lock(SECRET, "anna")


async def opened(*keys: str, store: MemoryStore | None = None) -> tuple[Users, MemoryStore]:
    if store is None:
        store = MemoryStore()
        await store.open()
        await quick_users(store).add("anna", PASSWORD)
    return Users(store, Passwords(), Locker(keys)), store


def test_the_store_does_not_know_the_secret() -> None:
    async def main() -> None:
        users, store = await opened(NEW)
        assert await users.set_codes("anna", SECRET, ["2222-3333-4444-5555"])
        record = await store.get(KIND, "anna")
        assert record is not None
        assert SECRET.encode() not in record.value
        assert b"2222" not in record.value
        account = await users.get("anna")
        assert SECRET not in json.dumps(asdict(account))  # pyright: ignore[reportArgumentType]

    asyncio.run(main())


def test_a_code_that_is_used_has_the_secret_locked_with_the_new_key() -> None:
    async def main() -> None:
        users, store = await opened(OLD)
        await users.set_codes("anna", SECRET, [])
        both, _ = await opened(NEW, OLD, store=store)
        assert await both.check_code("anna", code())
        new, _ = await opened(NEW, store=store)
        assert await new.check_code("anna", code(1))

    asyncio.run(main())


def test_without_the_key_codes_are_none_and_recovery_codes_are(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        users, store = await opened(OLD)
        await users.set_codes("anna", SECRET, ["2222-3333-4444-5555"])
        lost, _ = await opened(NEW, store=store)
        assert not await lost.check_code("anna", code())
        assert "OAUTH_TOTP_KEY" in caplog.text
        assert await lost.check_code("anna", "2222-3333-4444-5555")

    asyncio.run(main())
