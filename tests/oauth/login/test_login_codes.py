"""One-time codes, and what is done to names before they are shown."""

from __future__ import annotations

import asyncio
import base64
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from login_house import quick_users

from mcp_server.oauth.login import totp
from mcp_server.oauth.login.passwords import Passwords, fault_in
from mcp_server.oauth.login.shown import clean, destination, host_shown
from mcp_server.oauth.login.users import name_of
from mcp_server.stores.memory import MemoryStore

RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("now", "code"),
    [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ],
)
def test_codes_are_those_of_the_standard(now: int, code: str) -> None:
    """RFC 6238, appendix B, the last six digits."""
    assert totp.code_at(RFC_SECRET, now // totp.STEP) == code
    assert totp.step_of(RFC_SECRET, code, now, after=0) == now // totp.STEP


@pytest.mark.parametrize(("steps", "accepted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_one_step_off(steps: int, accepted: bool) -> None:
    now = 1_234_567_890
    code = totp.code_at(RFC_SECRET, now // totp.STEP + steps)
    assert (totp.step_of(RFC_SECRET, code, now, after=0) is not None) is accepted


def test_a_code_before_the_last_one_is_no_code() -> None:
    now = 1_234_567_890
    step = now // totp.STEP
    code = totp.code_at(RFC_SECRET, step - 1)
    assert totp.step_of(RFC_SECRET, code, now, after=step - 2) == step - 1
    assert totp.step_of(RFC_SECRET, code, now, after=step) is None


@given(st.text(max_size=10))
def test_what_is_no_code_is_none(text: str) -> None:
    now = 1_234_567_890
    valid = {totp.code_at(RFC_SECRET, now // totp.STEP + each) for each in (-1, 0, 1)}
    assert (totp.step_of(RFC_SECRET, text, now, after=0) is not None) is (text in valid)


def test_apps_can_read_the_address() -> None:
    parts = urlsplit(totp.uri(RFC_SECRET, "anna@example.com", "My Server"))
    assert (parts.scheme, parts.netloc, parts.path) == ("otpauth", "totp", "/My%20Server%3Aanna%40example.com")
    assert parse_qs(parts.query) == {
        "secret": [RFC_SECRET],
        "issuer": ["My Server"],
        "digits": ["6"],
        "period": ["30"],
    }


def test_recovery_codes_are_many_and_none_is_like_another() -> None:
    codes = [code for _ in range(20) for code in totp.new_recovery_codes()]
    assert len(set(codes)) == 20 * totp.RECOVERY_CODES
    assert all(len(code) == 19 for code in codes)


def test_of_many_who_use_one_code_at_once_one_succeeds() -> None:
    async def main() -> list[bool]:
        store = MemoryStore()
        await store.open()
        users = quick_users(store, lambda: 1_234_567_890.0)
        await users.add("anna", "a password of some length")
        await users.set_codes("anna", RFC_SECRET, [])
        code = totp.code_at(RFC_SECRET, 1_234_567_890 // totp.STEP)
        return list(await asyncio.gather(*(users.check_code("anna", code) for _ in range(20))))

    assert sum(asyncio.run(main())) == 1


def test_a_user_without_codes_has_none() -> None:
    async def main() -> list[bool]:
        store = MemoryStore()
        await store.open()
        users = quick_users(store)
        await users.add("anna", "a password of some length")
        return [await users.check_code(name, "000000") for name in ("anna", "nobody")]

    assert asyncio.run(main()) == [False, False]


def test_a_password_is_stored_as_argon2id_and_brought_up_to_date() -> None:
    async def main() -> tuple[str, str]:
        from mcp_server.oauth.login.users import Users

        store = MemoryStore()
        await store.open()
        old = quick_users(store)
        await old.add("anna", "a password of some length")
        before = await old.get("anna")
        users = Users(store, Passwords())
        assert await users.check_password("anna", "a password of some length") is not None
        after = await users.get("anna")
        assert before is not None
        assert after is not None
        return before.password, after.password

    before, after = asyncio.run(main())
    assert before.startswith("$argon2id$v=19$m=8,")
    assert after.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


@pytest.mark.parametrize("password", ["short", "x" * 1001, "aaaaaaaaaaaaaaaa", "I-am-Anna-and-who-are-you"])
def test_a_password_that_is_easily_guessed_is_refused(password: str) -> None:
    assert fault_in(password, "anna") is not None
    assert fault_in("correct horse battery", "anna") is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Anna", "anna"),
        (" anna@example.com ", "anna@example.com"),
        ("\uff41nna", "anna"),
        ("", None),
        ("an na", None),
        ("../anna", None),
        ("\u0430nna", None),
        ("a" * 65, None),
        ("anna\0", None),
    ],
)
def test_names_of_users_are_plain(text: str, name: str | None) -> None:
    assert name_of(text) == name


@given(st.text())
def test_whatever_is_shown_is_one_short_line(text: str) -> None:
    shown = clean(text)
    assert len(shown) <= 60
    assert shown == "" or all(each.isprintable() for each in shown)
    assert shown == shown.strip()


@pytest.mark.parametrize(
    ("url", "kind", "name"),
    [
        ("https://claude.ai/callback?x=y", "site", "claude.ai"),
        ("https://claude.ai:8443/callback", "site", "claude.ai:8443"),
        ("http://127.0.0.1:1234/cb", "this-machine", "127.0.0.1:1234"),
        ("http://127.9.9.9/cb", "this-machine", "127.9.9.9"),
        ("http://[::1]:1/cb", "this-machine", "[::1]:1"),
        ("http://localhost/cb", "this-machine", "localhost"),
        ("https://localhost.evil.example/cb", "site", "localhost.evil.example"),
        ("cursor://x/y", "app", "cursor:"),
        ("com.example.app:/oauth", "app", "com.example.app:"),
        ("https://[::1", "app", "an address that cannot be read"),
        ("https://claude.ai:port/", "app", "an address that cannot be read"),
    ],
)
def test_where_a_browser_goes_is_told_apart(url: str, kind: str, name: str) -> None:
    found = destination(url)
    assert (found.kind, found.name) == (kind, name)


@pytest.mark.parametrize("url", ["https://[::1", "https://" + "\u0430" * 300 + ".example", "nothing"])
def test_a_host_that_cannot_be_read_is_not_shown(url: str) -> None:
    assert host_shown(url) == ""
