"""`mcp-server users`: who can sign in."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cli_running import Run

from mcp_server.cli.users import Ended, end_all
from mcp_server.oauth.approvals import Person
from mcp_server.oauth.login import totp
from mcp_server.oauth.login.locker import Locker
from mcp_server.oauth.login.passwords import Passwords
from mcp_server.oauth.login.sessions import CONSENT, SESSION, Sessions
from mcp_server.oauth.login.users import Users
from mcp_server.oauth.server.grant import Grant, written
from mcp_server.oauth.server.grants import KIND
from mcp_server.stores import Store, open_store
from tests.store_backends import SHARED, backend

PASSWORD = "correct horse battery"
KEY = "a-key-for-the-secrets-of-apps-in-the-tests"
NEW_KEY = "another-key-for-the-secrets-of-apps-in-the-tests"


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STORE_URL", f"sqlite:///{tmp_path / 'users.db'}")
    monkeypatch.setenv("OAUTH_TOTP_KEY", KEY)
    return open_store(f"sqlite:///{tmp_path / 'users.db'}")


def signs_in(store: Store, name: str, password: str) -> bool:
    async def main() -> bool:
        await store.open()
        try:
            return await Users(store, Passwords()).check_password(name, password) is not None
        finally:
            await store.close()

    return asyncio.run(main())


def takes_code(store: Store, name: str, code: str, keys: list[str]) -> bool:
    async def main() -> bool:
        await store.open()
        try:
            return await Users(store, Passwords(), Locker(keys)).check_code(name, code)
        finally:
            await store.close()

    return asyncio.run(main())


def with_records(store: Store, name: str) -> None:
    async def main() -> None:
        await store.open()
        await keep_records(store, name)
        await store.close()

    asyncio.run(main())


async def keep_records(store: Store, name: str) -> None:
    """A session, a consent and two grants."""
    await Sessions(store, "users", 600).open(Person(f"local:{name}"))
    await store.put(CONSENT, f"of-{name}", b"{}", lifetime=None, owner=f"local:{name}")
    grant = Grant("claude", "Claude", f"local:{name}", name, ("read",), "https://a.example/mcp", made=0)
    for number in range(2):
        await store.put(KIND, f"{number}-of-{name}", written(grant), lifetime=600, owner=f"local:{name}")


def records(store: Store, name: str) -> list[int]:
    async def main() -> list[int]:
        await store.open()
        found = [len(await store.find(kind, owner=f"local:{name}")) for kind in (SESSION, CONSENT, KIND)]
        await store.close()
        return found

    return asyncio.run(main())


def test_an_account_is_made_with_a_password_from_standard_input(run: Run, store: Store) -> None:
    result = run("users", "add", "Anna", "--shown", "Anna Example", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert (result.exit_code, result.output) == (0, "Added anna.\n")
    assert signs_in(store, "anna", PASSWORD)
    assert not signs_in(store, "anna", PASSWORD + "\n")


def test_a_password_is_asked_for_twice_and_not_shown(run: Run, store: Store) -> None:
    result = run("users", "add", "anna", stdin=f"{PASSWORD}\n{PASSWORD}\n")
    assert (result.exit_code, PASSWORD in result.output) == (0, False)
    assert signs_in(store, "anna", PASSWORD)


def test_nobody_is_added_twice(run: Run, store: Store) -> None:
    run("users", "add", "anna", "--password-stdin", stdin=PASSWORD)
    result = run("users", "add", "ANNA", "--password-stdin", stdin="another horse battery")
    assert (result.exit_code, "There is a user anna already" in result.output) == (1, True)
    assert signs_in(store, "anna", PASSWORD)


@pytest.mark.parametrize(
    ("name", "password", "said"),
    [
        ("anna", "short", "12 characters"),
        ("anna", "anna-is-my-name", "contain the name"),
        ("an na", PASSWORD, "Nobody can be called so"),
        ("", PASSWORD, "Nobody can be called so"),
    ],
)
def test_what_will_not_do_is_refused(run: Run, name: str, password: str, said: str) -> None:
    result = run("users", "add", name, "--password-stdin", stdin=password)
    assert (result.exit_code, said in result.output) == (1, True)


def test_accounts_are_listed(run: Run) -> None:
    assert "There are no users" in run("users", "list").output
    run("users", "add", "bob", "--password-stdin", "--shown", "Bob\x1b[31m", stdin=PASSWORD)
    run("users", "add", "anna", "--password-stdin", stdin=PASSWORD)
    run("users", "totp", "bob", "--unconfirmed")
    lines = run("users", "list").output.splitlines()
    assert [line.split()[0] for line in lines] == ["NAME", "anna", "bob"]
    assert "password and code" in lines[2]
    assert "\x1b" not in lines[2]


def test_a_removed_account_takes_its_sessions_consents_and_tokens_with_it(run: Run, store: Store) -> None:
    run("users", "add", "anna", "--password-stdin", stdin=PASSWORD)
    for name in ("anna", "bob"):
        with_records(store, name)
    ended = "Ended: 1 session, 2 grants, 1 remembered consent."
    assert run("users", "remove", "anna").output == f"Removed anna. {ended}\n"
    assert not signs_in(store, "anna", PASSWORD)
    assert (records(store, "anna"), records(store, "bob")) == ([0, 0, 0], [1, 1, 2])


def test_what_a_removal_has_left_that_was_interrupted_is_ended_by_the_next(run: Run, store: Store) -> None:
    with_records(store, "anna")
    assert run("users", "remove", "anna").exit_code == 0
    assert records(store, "anna") == [0, 0, 0]
    assert run("users", "remove", "anna").exit_code == 1


@pytest.mark.parametrize(("options", "left"), [((), [0, 0, 0]), (("--keep-tokens",), [0, 1, 2])])
def test_a_new_password_ends_the_sessions_and_the_tokens_unless_they_are_kept(
    run: Run, store: Store, options: tuple[str, ...], left: list[int]
) -> None:
    run("users", "add", "anna", "--password-stdin", stdin=PASSWORD)
    with_records(store, "anna")
    changed = run("users", "password", "anna", "--password-stdin", *options, stdin="another horse battery")
    assert (changed.exit_code, "Ended: 1 session, " in changed.output) == (0, True)
    assert not signs_in(store, "anna", PASSWORD)
    assert signs_in(store, "anna", "another horse battery")
    assert records(store, "anna") == left


@pytest.mark.parametrize("name", SHARED)
def test_everything_of_a_user_ends_in_every_store(name: str, tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        for user in ("anna", "bob"):
            await keep_records(store, user)
        assert await end_all(store, "anna") == Ended(sessions=1, consents=1, grants=2)
        assert await end_all(store, "anna") == Ended()
        assert await end_all(store, "bob") == Ended(sessions=1, consents=1, grants=2)

    with backend(name, tmp_path) as found:
        found.run(test)


@pytest.mark.parametrize("command", [("remove",), ("password", "--password-stdin"), ("totp",), ("totp", "--off")])
def test_what_is_done_to_nobody_is_told(run: Run, command: tuple[str, ...]) -> None:
    result = run("users", *command, "nobody", stdin=PASSWORD)
    assert (result.exit_code, "There is no user nobody" in result.output) == (1, True)


def test_codes_are_demanded_once_the_app_has_shown_one(run: Run, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run("users", "add", "anna", "--password-stdin", stdin=PASSWORD)
    secret = totp.new_secret()
    monkeypatch.setattr(totp, "new_secret", lambda: secret)
    with_records(store, "anna")
    result = run("users", "totp", "anna", stdin=f"{totp.code_at(secret, int(time.time() // totp.STEP))}\n")
    assert result.exit_code == 0
    address = next(word for word in result.output.split() if word.startswith("otpauth://"))
    assert parse_qs(urlsplit(address).query)["secret"] == [secret]
    assert len(re.findall(r"^  [a-z0-9]{4}(?:-[a-z0-9]{4}){3}$", result.output, re.MULTILINE)) == totp.RECOVERY_CODES
    assert records(store, "anna") == [0, 1, 2]
    assert "password and code" in run("users", "list").output
    assert run("users", "totp", "anna", "--off").exit_code == 0
    assert "password and code" not in run("users", "list").output


def test_a_wrong_code_changes_nothing(run: Run) -> None:
    run("users", "add", "anna", "--password-stdin", stdin=PASSWORD)
    result = run("users", "totp", "anna", stdin="no code\n")
    assert (result.exit_code, "Nothing was changed" in result.output) == (1, True)
    assert "password and code" not in run("users", "list").output


def test_without_a_key_nobody_is_given_a_secret(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("users", "add", "anna", "--password-stdin", stdin=PASSWORD)
    monkeypatch.delenv("OAUTH_TOTP_KEY")
    for words in (("totp", "anna", "--unconfirmed"), ("rekey",)):
        result = run("users", *words)
        assert (result.exit_code, "OAUTH_TOTP_KEY is not set" in result.output) == (1, True)
    assert "password and code" not in run("users", "list").output
    assert run("users", "totp", "anna", "--off").exit_code == 0


def test_secrets_are_locked_with_the_new_key_by_a_command(
    run: Run, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = totp.new_secret()
    monkeypatch.setattr(totp, "new_secret", lambda: secret)
    for name in ("anna", "bob", "carol"):
        run("users", "add", name, "--password-stdin", stdin=PASSWORD)
    run("users", "totp", "anna", "--unconfirmed")
    monkeypatch.setenv("OAUTH_TOTP_KEY", f"{NEW_KEY},{KEY}")
    run("users", "totp", "bob", "--unconfirmed")
    assert run("users", "rekey").output == "Encrypted anew: 1.\n"
    assert run("users", "rekey").output == "Encrypted anew: 0.\n"
    monkeypatch.setenv("OAUTH_TOTP_KEY", NEW_KEY)
    assert run("users", "rekey").exit_code == 0
    for name in ("anna", "bob"):
        assert takes_code(store, name, totp.code_at(secret, int(time.time() // totp.STEP)), [NEW_KEY])


def test_secrets_that_no_key_opens_are_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("users", "add", "anna", "--password-stdin", stdin=PASSWORD)
    run("users", "totp", "anna", "--unconfirmed")
    monkeypatch.setenv("OAUTH_TOTP_KEY", NEW_KEY)
    result = run("users", "rekey")
    assert (result.exit_code, "opens the secrets of anna" in result.output) == (1, True)


def test_a_store_that_nobody_else_sees_is_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE_URL", "memory://")
    result = run("users", "list")
    assert (result.exit_code, "no other process sees" in result.output) == (1, True)


def test_settings_that_cannot_be_used_are_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "http")
    result = run("users", "list")
    assert (result.exit_code, "PORT must be a port" in result.output) == (1, True)


def test_a_store_that_cannot_be_reached_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORE_URL", "redis://127.0.0.1:9")
    result = run("users", "list")
    assert (result.exit_code, "The store cannot be used" in result.output) == (1, True)
