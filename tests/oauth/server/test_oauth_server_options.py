"""What the operator decides: options, clients in a file, and the settings they come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mcp_server.oauth.server.configured import clients_from, options_from
from mcp_server.oauth.server.known import known_clients
from mcp_server.oauth.server.options import ServerOptions
from mcp_server.settings import Settings

KEY = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}


@pytest.mark.parametrize(
    "changes",
    [
        {"public_url": "http://mcp.example.com"},
        {"public_url": "http://127.0.0.1.evil.example"},
        {"public_url": "ftp://mcp.example.com"},
        {"public_url": "https://"},
        {"public_url": "https://a@mcp.example.com"},
        {"public_url": "https://mcp.example.com/?a=b"},
        {"public_url": "https://mcp.example.com/"},
        {"scopes": ("a b",)},
        {"scopes": ("",)},
        {"scopes": ('a"',)},
        {"code_lifetime": 0},
        {"code_lifetime": 601},
    ],
)
def test_options_that_are_not_safe_are_refused(changes: dict[str, Any]) -> None:
    given: dict[str, Any] = {"public_url": "https://mcp.example.com", **changes}
    with pytest.raises(ValueError, match=r"\w"):
        ServerOptions(**given)


def test_the_options_are_what_the_settings_say() -> None:
    given: dict[str, Any] = {
        "oauth_enabled": True,
        "domain": "mcp.example.com",
        "oauth_scopes": "a,b",
        "oauth_access_token_lifetime": 60,
        "oauth_refresh_token_lifetime": 120,
        "oauth_revocation_delay": 0,
        "oauth_rate": "7/minute",
        "oauth_registration": False,
        "oauth_registration_key": "k" * 32,
        "oauth_registration_rate": "1/minute",
        "oauth_registrations_per_day": 3,
        "oauth_client_documents": False,
        "oauth_client_document_hosts": "claude.ai",
        "oauth_loopback_documents": True,
    }
    assert options_from(Settings(**given)) == ServerOptions(
        public_url="https://mcp.example.com",
        scopes=("a", "b"),
        access_lifetime=60,
        refresh_lifetime=120,
        revocation_delay=0,
        rate="7/minute",
        registration=False,
        registration_key="k" * 32,
        registration_rate="1/minute",
        registrations_per_day=3,
        documents=False,
        document_hosts=("claude.ai",),
        loopback_documents=True,
    )


def test_settings_that_say_nothing_are_the_usual_options() -> None:
    usual = ServerOptions("http://localhost:8000")
    assert options_from(Settings(oauth_enabled=True)) == usual
    assert clients_from(Settings()) == ()


def test_clients_are_in_a_file_or_in_the_setting(tmp_path: Path) -> None:
    text = json.dumps(
        [
            {"client_id": "a", "redirect_uris": ["https://a.example/"]},
            {"client_id": "b", "jwks": {"keys": [KEY]}, "grant_types": ["client_credentials"]},
        ]
    )
    file = tmp_path / "clients.json"
    file.write_text(text, encoding="utf-8")
    one, other = clients_from(Settings(oauth_clients=str(file)))
    assert clients_from(Settings(oauth_clients=text)) == (one, other)
    assert (one.id, one.name, one.method, one.known_by) == ("a", "a", "none", "settings")
    assert (other.method, other.keys) == ("private_key_jwt", (KEY,))


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({}, "client_id"),
        ({"client_id": "a b"}, "client_id"),
        ({"client_id": "https://a.example/"}, "client_id"),
        ({"client_id": "a"}, "redirect_uris is missing"),
        ({"client_id": "a", "redirect_uris": "x"}, "redirect_uris has to be a list"),
        ({"client_id": "a", "redirect_uris": ["javascript:x"]}, "an address of redirect_uris has a scheme"),
        ({"client_id": "a", "client_secret": "x"}, "there is no field client_secret"),
        ({"client_id": "a", "client_secret_sha256": "x"}, "64 lower-case hexadecimal"),
        ({"client_id": "a", "grant_types": ["password"]}, "grant_types can be"),
        ({"client_id": "a", "grant_types": ["client_credentials"]}, "needs client_secret_sha256 or jwks"),
        ({"client_id": "a", "jwks": {"keys": [{"kty": "oct", "k": "x"}]}}, "public keys only"),
        ("a", "has to be an object"),
    ],
)
def test_an_entry_that_is_no_client_is_named(entry: Any, why: str) -> None:
    with pytest.raises(ValueError, match=f"number 1, that is wrong: .*{why}"):
        known_clients(json.dumps([entry]))


def test_a_file_of_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="array"):
        known_clients("{}")
    twice = [{"client_id": "a", "redirect_uris": ["https://a.example/"]}] * 2
    with pytest.raises(ValueError, match="number 2, whose client_id is there twice"):
        known_clients(json.dumps(twice))
