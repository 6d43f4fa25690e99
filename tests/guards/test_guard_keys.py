from __future__ import annotations

import hmac
import logging
from collections.abc import MutableMapping
from typing import Any, Literal

import pytest
from asgi_driver import Seen, get, passes_lifespan
from hypothesis import given
from hypothesis import strategies as st

from mcp_server.guards.caller import caller_of
from mcp_server.guards.keyring import Keyring, bearer_token, fingerprint
from mcp_server.guards.keys import KeyGuard
from mcp_server.guards.refusals import Refusal, unauthorized

KEY = "3q2-7wAAtQ_9hXz.b4n0-key-number-one~"
OTHER = "Zx81ppLm02-another-key-for-rotation=="
LOCAL: dict[str, Any] = {"client": ("127.0.0.1", 4711)}


def guarded(*keys: str, **options: Any) -> tuple[KeyGuard, Seen]:
    seen = Seen()
    return KeyGuard(seen, keyring=Keyring(keys), **options), seen


def status(guard: KeyGuard, *authorization: str) -> int:
    return get(guard, headers=[("authorization", value) for value in authorization]).status


@pytest.mark.parametrize(
    "sent",
    [
        f"Bearer {KEY}",
        f"bearer {KEY}",
        f"BEARER {KEY}",
        f"Bearer Bearer {KEY}",
        f"Bearer bearer {KEY}",
        f'Bearer "{KEY}"',
        f"Bearer '{KEY}'",
        f"Bearer  {KEY}",
        f"Bearer {KEY}  ",
    ],
)
def test_a_key_is_understood_as_clients_write_it(sent: str) -> None:
    guard, seen = guarded(KEY)
    assert status(guard, sent) == 200
    assert caller_of(seen.scopes[0]).key == fingerprint(KEY.encode())


@pytest.mark.parametrize(
    "sent",
    [
        KEY,
        f"Bearer{KEY}",
        f"Basic {KEY}",
        f"Token {KEY}",
        f"Bearer Bearer Bearer {KEY}",
        f'Bearer "{KEY}',
        f"Bearer \"{KEY}'",
        f"Bearer {KEY} {KEY}",
        f"Bearer {KEY},",
        f" Bearer {KEY}",
        "Bearer",
        "Bearer ",
        "",
        f"Bearer {KEY[:-1]}",
        f"Bearer {KEY}x",
        f"Bearer {KEY.upper()}",
        "Bearer \xe9",
    ],
)
def test_anything_else_is_refused(sent: str) -> None:
    guard, seen = guarded(KEY)
    assert status(guard, sent) == 401
    assert not seen.scopes


def test_two_authorizations_are_none() -> None:
    guard, _ = guarded(KEY)
    assert status(guard, f"Bearer {KEY}", f"Bearer {KEY}") == 401
    assert status(guard, f"Bearer {KEY}", "Bearer guess") == 401


def test_a_key_in_the_query_is_not_looked_for() -> None:
    guard, _ = guarded(KEY)
    assert get(guard, path=f"/mcp?authorization=Bearer%20{KEY}&api_key={KEY}").status == 401


def test_several_keys_are_valid_at_once() -> None:
    guard, seen = guarded(KEY, OTHER)
    assert [status(guard, f"Bearer {key}") for key in (KEY, OTHER, KEY)] == [200, 200, 200]
    assert len({caller_of(scope).key for scope in seen.scopes}) == 2


def test_missing_and_wrong_get_the_same_body() -> None:
    guard, _ = guarded(KEY)
    missing, wrong = get(guard), get(guard, headers=[("authorization", "Bearer guess")])
    assert missing.body == wrong.body
    assert missing.json() == {"error": "unauthorized", "detail": "Invalid API key"}


def test_only_the_challenge_tells_whether_a_token_was_sent() -> None:
    guard, _ = guarded(KEY, challenge='resource_metadata="https://a.example"')
    missing, wrong = get(guard), get(guard, headers=[("authorization", "Bearer guess")])
    assert missing.header("www-authenticate") == 'Bearer realm="mcp", resource_metadata="https://a.example"'
    assert wrong.header("www-authenticate") == (
        'Bearer realm="mcp", error="invalid_token", resource_metadata="https://a.example"'
    )


def test_no_key_appears_in_an_answer_or_a_line_of_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        guard, _ = guarded(KEY, "short-key-123")
        answer = get(guard, headers=[("authorization", f"Bearer {KEY}x")])
    everything = f"{answer} {caplog.text} {vars(guard)} {vars(Keyring([KEY]))}"
    assert KEY not in everything
    assert "short-key-123" not in everything


def test_a_fingerprint_is_no_part_of_the_key_and_the_same_everywhere() -> None:
    assert fingerprint(b"abcdefgh") == fingerprint(b"abcdefgh") == "4f600234"
    assert fingerprint(b"abcdefgh") not in "abcdefgh"


def test_every_key_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return left == right

    monkeypatch.setattr(hmac, "compare_digest", compare)
    keyring = Keyring([KEY, OTHER])
    keyring.recognise(KEY.encode())
    keyring.recognise(b"guess")
    assert len(compared) == 4
    assert {len(digest) for pair in compared for digest in pair} == {32}


def test_what_is_remembered_is_right_and_bounded() -> None:
    keyring = Keyring([KEY])
    for blanks in range(1, 200):
        assert keyring.holder(b"Bearer" + b" " * blanks + KEY.encode()) == fingerprint(KEY.encode())
        assert keyring.holder(b"Bearer" + b" " * blanks + b"guess") is None
    assert keyring.holder(f"Bearer {KEY}".encode()) == fingerprint(KEY.encode())
    assert len(keyring._remembered) == 64  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(("method", "path"), [("GET", "/health"), ("GET", "/.well-known/x"), ("OPTIONS", "/mcp")])
def test_open_paths_and_questions_about_methods_need_no_key(method: str, path: str) -> None:
    guard, _ = guarded(KEY, open_paths=["/health", "/", "/.well-known/*"])
    assert get(guard, method=method, path=path).status == 200
    assert get(guard, method=method, path=path, headers=[("authorization", "Bearer guess")]).status == 200


@pytest.mark.parametrize("path", ["/mcp", "/mcp/sse", "/healthy", "/health/../mcp", "//", "/Health"])
def test_every_other_path_needs_one(path: str) -> None:
    guard, _ = guarded(KEY, open_paths=["/health", "/"])
    assert get(guard, path=path).status == 401


def test_who_has_a_key_is_known_on_open_paths_too() -> None:
    guard, seen = guarded(KEY, open_paths=["/"])
    get(guard, path="/", headers=[("authorization", f"Bearer {KEY}")])
    assert caller_of(seen.scopes[0]).key == fingerprint(KEY.encode())


def test_without_a_key_this_machine_is_served() -> None:
    guard, _ = guarded()
    assert get(guard, headers=[("host", "localhost:8000")], **LOCAL).status == 200
    assert get(guard, headers=[("host", "[::1]:8000")], client=("::1", 1)).status == 200


@pytest.mark.parametrize("client", [("203.0.113.9", 1), ("10.0.0.1", 1), ("testclient", 1), None, ("", 0)])
def test_without_a_key_nobody_else_is(client: tuple[str, int] | None) -> None:
    guard, _ = guarded()
    answer = get(guard, headers=[("host", "localhost:8000")], client=client)
    assert answer.status == 401
    assert "MCP_API_KEY" in answer.json()["detail"]


@pytest.mark.parametrize(
    "name",
    ["x-forwarded-for", "x-forwarded-proto", "forwarded", "x-real-ip", "via", "cf-connecting-ip", "fly-client-ip"],
)
def test_without_a_key_a_proxy_on_this_machine_is_not_this_machine(name: str) -> None:
    guard, _ = guarded()
    assert get(guard, headers=[("host", "localhost"), (name, "127.0.0.1")], **LOCAL).status == 401


@pytest.mark.parametrize("host", ["mcp.example.com", "localhost.evil.example", ""])
def test_without_a_key_a_foreign_host_is_not_this_machine(host: str) -> None:
    guard, _ = guarded()
    assert get(guard, headers=[("host", host)], **LOCAL).status == 401
    assert get(guard, headers=[], **LOCAL).status == 401


def test_for_development_everybody_is_served() -> None:
    guard, seen = guarded(unkeyed="open")
    assert [status(guard), status(guard, "Bearer anything")] == [200, 200]
    assert [caller_of(scope).key for scope in seen.scopes] == [None, None]


@pytest.mark.parametrize("unkeyed", ["open", "loopback"])
def test_with_a_key_there_is_no_way_around_it(unkeyed: Literal["open", "loopback"]) -> None:
    guard, _ = guarded(KEY, unkeyed=unkeyed)
    assert get(guard, headers=[("host", "localhost")], **LOCAL).status == 401


@pytest.mark.parametrize("unkeyed", ["open", "loopback"])
def test_production_does_not_start_without_a_key(unkeyed: Literal["open", "loopback"]) -> None:
    with pytest.raises(ValueError, match="MCP_API_KEY: no key is configured"):
        guarded(production=True, unkeyed=unkeyed)


PLACEHOLDERS = [
    "your_test_token",
    "your_token",
    "your_secure_token",
    "your-secure-api-key-here",
    "sk-your-api-key-with-more-than-32-characters",
    "change-me-change-me-change-me-change-me",
    "changeme",
    "<your long random token goes here>".replace(" ", "-"),
    "replace_this_with_a_long_random_token_now",
    "example-key-example-key-example-key-1234",
    "x" * 40,
]


@pytest.mark.parametrize("key", [*PLACEHOLDERS, "a1b2c3d4", KEY[:31]])
def test_production_does_not_start_with_a_weak_key(key: str) -> None:
    with pytest.raises(ValueError, match="MCP_API_KEY: key 2 ") as refusal:
        guarded(KEY, key, production=True)
    assert key not in str(refusal.value)


@pytest.mark.parametrize("key", PLACEHOLDERS)
def test_elsewhere_a_weak_key_works(key: str) -> None:
    guard, _ = guarded(key)
    assert status(guard, f"Bearer {key}") == 200


@given(st.text(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), min_size=32, max_size=64))
def test_a_random_key_is_no_placeholder(key: str) -> None:
    assert len(set(key)) == 1 or not Keyring([key]).weaknesses


def test_production_starts_with_good_keys() -> None:
    guard, _ = guarded(KEY, OTHER, production=True)
    assert status(guard, f"Bearer {OTHER}") == 200


@pytest.mark.parametrize("key", ["", "  ", "two words", "schlüssel", "line\nbreak", '""'])
def test_a_key_no_client_could_send_is_a_mistake(key: str) -> None:
    with pytest.raises(ValueError, match="key 1 is empty, or has blanks"):
        Keyring([key])


@pytest.mark.parametrize("written", [f'"{KEY}"', f"'{KEY}'", f" {KEY}\n"])
def test_quotes_around_a_configured_key_are_not_part_of_it(written: str) -> None:
    guard, _ = guarded(written)
    assert status(guard, f"Bearer {KEY}") == 200


@given(st.binary(max_size=80))
def test_no_header_breaks_the_reading(sent: bytes) -> None:
    token = bearer_token(sent)
    assert token is None or (token in sent and sent.lower().startswith(b"bearer "))


class Named(str):
    """A bearer who is nothing but a name."""

    __slots__ = ()

    @property
    def name(self) -> str:
        return str(self)


class Town:
    """Knows the tokens of its citizens."""

    refusal = unauthorized(error="invalid_token", detail="stranger")

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def recall(self, scope: MutableMapping[str, Any]) -> bool:
        caller_of(scope).bearer = Named("anna")
        return True

    async def admit(self, token: bytes, scope: MutableMapping[str, Any]) -> Refusal | None:
        self.asked.append(token)
        if not token.startswith(b"at-"):
            return self.refusal
        caller_of(scope).bearer = Named(token[3:].decode())
        return None

    def missing(self, scope: MutableMapping[str, Any]) -> Refusal:
        return unauthorized(detail="nobody")

    def unreadable(self, scope: MutableMapping[str, Any]) -> Refusal:
        return self.refusal


def test_the_bearer_of_a_token_is_let_in_under_their_name() -> None:
    guard, seen = guarded(tokens=Town(), production=True)
    assert [status(guard, "Bearer at-anna"), status(guard, "Bearer guess"), status(guard)] == [200, 401, 401]
    assert caller_of(seen.scopes[0]).key == "anna"


def test_the_knower_of_tokens_says_how_to_refuse() -> None:
    guard, _ = guarded(tokens=Town())
    refused = [get(guard).json()["detail"], get(guard, headers=[("authorization", "Bearer x")]).json()["detail"]]
    assert refused == ["nobody", "stranger"]


def test_keys_and_tokens_work_side_by_side() -> None:
    town = Town()
    guard, _ = guarded(KEY, tokens=town)
    assert [status(guard, f"Bearer {KEY}"), status(guard, "Bearer at-anna")] == [200, 200]
    assert town.asked == [b"at-anna"]


def test_with_tokens_this_machine_needs_one_too() -> None:
    guard, _ = guarded(tokens=Town())
    assert get(guard, headers=[("host", "localhost")], **LOCAL).status == 401


def test_what_is_no_token_is_not_sent_to_be_verified() -> None:
    town = Town()
    guard, _ = guarded(tokens=town)
    assert (status(guard, "Basic abc"), town.asked) == (401, [])


def test_nobody_is_asked_for_a_token_on_an_open_path() -> None:
    town = Town()
    guard, _ = guarded(tokens=town, open_paths=["/open"])
    assert get(guard, path="/open", headers=[("authorization", "Bearer guess")]).status == 200
    assert town.asked == []


def test_a_verification_that_fails_is_not_a_yes() -> None:
    class Broken(Town):
        async def admit(self, token: bytes, scope: MutableMapping[str, Any]) -> Refusal | None:
            raise ConnectionError

    guard, seen = guarded(tokens=Broken())
    with pytest.raises(ConnectionError):
        status(guard, "Bearer at-anna")
    assert not seen.scopes


def test_what_is_no_request_passes() -> None:
    assert passes_lifespan(lambda app: KeyGuard(app, keyring=Keyring()))
