"""How people sign in, as an operator sets it: what is refused at the start, and what becomes of the rest."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest

from mcp_server.oauth.approvals import Person
from mcp_server.oauth.login.ambient import AutoApproval, OwnCode, ProxyHeader
from mcp_server.oauth.login.github import GitHub
from mcp_server.oauth.login.oidc import Oidc
from mcp_server.oauth.login.opening import options_of, way_of
from mcp_server.oauth.login.options import LoginOptions
from mcp_server.oauth.login.users import Users
from mcp_server.settings import Settings, SettingsError
from mcp_server.stores.memory import MemoryStore

KEY = "0123456789abcdef" * 4
URL = "https://mcp.example.com"
CREDENTIALS = {"oauth_client_id": "id", "oauth_client_secret": "secret"}
ISSUER = "https://login.example.com/realms/main"


def settings(**fields: Any) -> Settings:
    given: dict[str, Any] = {"mcp_api_key": KEY, **fields}
    return Settings(**given)


def problems_of(**fields: Any) -> dict[str, str]:
    with pytest.raises(SettingsError) as caught:
        settings(**fields)
    return {problem.variable: problem.rule for problem in caught.value.problems}


def way(**fields: Any) -> Any:
    found = settings(**fields)
    return way_of(found, MemoryStore(), options_of(found, found.public_url or URL, "Catalogue"))


def test_accounts_of_this_server_are_the_default() -> None:
    assert isinstance(way(), Users)
    assert isinstance(way(oauth_login="users"), Users)


def test_each_way_can_be_set() -> None:
    oidc = way(oauth_login="oidc", oauth_oidc_url=ISSUER, **CREDENTIALS)
    assert isinstance(oidc, Oidc)
    assert (oidc.name, oidc.shown) == (f"oidc:{ISSUER}", "login.example.com")
    assert isinstance(way(oauth_login="github", oauth_allowed_subjects="octocat", **CREDENTIALS), GitHub)
    assert isinstance(way(oauth_login="header", trusted_proxies="10.0.0.0/8"), ProxyHeader)
    assert isinstance(way(oauth_login="auto", public_url="http://localhost:8000"), AutoApproval)


def test_what_people_call_a_provider_is_known() -> None:
    google = way(
        oauth_login="oidc", oauth_oidc_url="https://accounts.google.com", oauth_allowed_subjects="*", **CREDENTIALS
    )
    entra = way(oauth_login="oidc", oauth_oidc_url="https://login.microsoftonline.com/some-tenant/v2.0", **CREDENTIALS)
    assert (google.shown, entra.shown) == ("Google", "Microsoft")


def test_the_developers_own_code_comes_before_the_settings() -> None:
    async def hook(_: object) -> Person:
        return Person("own:anna")

    found = way_of(settings(), MemoryStore(), LoginOptions(URL, "Catalogue"), hook)
    assert isinstance(found, OwnCode)


def test_everything_that_a_provider_needs_is_asked_for_at_once() -> None:
    assert set(problems_of(oauth_login="oidc")) == {"OAUTH_OIDC_URL", "OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRET"}
    assert set(problems_of(oauth_login="github")) == {
        "OAUTH_CLIENT_ID",
        "OAUTH_CLIENT_SECRET",
        "OAUTH_ALLOWED_SUBJECTS",
    }


@pytest.mark.parametrize("missing", ["oauth_client_id", "oauth_client_secret", "oauth_oidc_url"])
def test_without_the_checks_a_provider_that_is_half_set_is_refused_all_the_same(missing: str) -> None:
    given: dict[str, Any] = {"oauth_oidc_url": ISSUER, **CREDENTIALS}
    del given[missing]
    with pytest.raises(ValueError, match=missing.upper()):
        way(oauth_login="oidc", listening=False, **given)


@pytest.mark.parametrize(
    ("fields", "variable"),
    [
        ({"oauth_oidc_url": "https://accounts.google.com"}, "OAUTH_ALLOWED_SUBJECTS"),
        ({"oauth_oidc_url": "https://login.microsoftonline.com/common/v2.0"}, "OAUTH_OIDC_URL"),
        ({"oauth_oidc_url": "https://login.microsoftonline.com/organizations/v2.0"}, "OAUTH_OIDC_URL"),
        ({"oauth_oidc_url": "http://login.example.com"}, "OAUTH_OIDC_URL"),
        ({"oauth_oidc_url": f"{ISSUER}?tenant=1"}, "OAUTH_OIDC_URL"),
        ({"oauth_oidc_url": ISSUER, "public_url": "http://mcp.example.com"}, "PUBLIC_URL"),
    ],
)
def test_a_provider_that_would_let_in_anybody_or_be_overheard_is_refused(fields: dict[str, str], variable: str) -> None:
    assert list(problems_of(oauth_login="oidc", **CREDENTIALS, **fields)) == [variable]


def test_a_provider_for_everybody_can_be_meant() -> None:
    assert settings(oauth_login="github", oauth_allowed_subjects="*", **CREDENTIALS).warnings == ()
    domain = {"oauth_oidc_url": "https://accounts.google.com", "oauth_allowed_email_domains": "example.com"}
    assert settings(oauth_login="oidc", **CREDENTIALS, **domain).warnings == ()
    [warning] = settings(oauth_login="oidc", oauth_oidc_url=ISSUER, **CREDENTIALS).warnings
    assert warning.startswith("OAUTH_LOGIN=oidc lets in everybody")


@pytest.mark.parametrize(
    "fields", [{}, {"trusted_proxies": "*"}, {"trusted_proxies": "none"}, {"trusted_proxies": "10.0.0.0/8,*"}]
)
def test_a_header_needs_a_list_of_proxies(fields: dict[str, str]) -> None:
    assert list(problems_of(oauth_login="header", **fields)) == ["TRUSTED_PROXIES"]


@pytest.mark.parametrize(
    ("fields", "variable"),
    [
        ({"host": "0.0.0.0"}, "HOST"),
        ({"host": "::"}, "HOST"),
        ({"public_url": URL}, "PUBLIC_URL"),
        ({"environment": "production"}, "OAUTH_LOGIN"),
        ({"environment": "staging"}, "OAUTH_LOGIN"),
        ({"aws_lambda_function_name": "f"}, "OAUTH_LOGIN"),
    ],
)
def test_asking_nobody_is_for_this_machine_alone(fields: dict[str, str], variable: str) -> None:
    assert list(problems_of(oauth_login="auto", **fields)) == [variable]


def test_asking_nobody_is_refused_with_a_domain() -> None:
    assert set(problems_of(oauth_login="auto", domain="mcp.example.com")) == {"DOMAIN", "PUBLIC_URL"}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_asking_nobody_is_possible_on_this_machine(host: str) -> None:
    assert settings(oauth_login="auto", host=host, public_url="http://localhost:8000").oauth_login == "auto"


def test_what_is_set_for_another_way_is_told() -> None:
    assert settings(**CREDENTIALS).warnings == (
        "OAUTH_CLIENT_ID is not used unless OAUTH_LOGIN is oidc or github",
        "OAUTH_CLIENT_SECRET is not used unless OAUTH_LOGIN is oidc or github",
    )


def test_the_secret_of_the_provider_is_a_secret() -> None:
    assert "secret-of-ours" in settings(oauth_client_secret="secret-of-ours").secrets


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("oauth_login", "everybody"),
        ("oauth_allowed_email_domains", "@example.com"),
        ("oauth_allowed_subjects", "ann\u0430"),
        ("oauth_login_scopes", 'open"id'),
        ("oauth_login_header", "X Forwarded User"),
        ("oauth_session_lifetime", "5"),
        ("oauth_remember_consent", "-1"),
        ("oauth_scope_words", "items:read"),
        ("oauth_scope_words", "items:read=; b=c"),
        ("oauth_scope_words", "a=b\x07"),
    ],
)
def test_a_value_that_is_none_is_refused(name: str, value: str) -> None:
    assert list(problems_of(**{name: value})) == [name.upper()]


def test_what_is_decided_reaches_the_pages() -> None:
    found = settings(
        oauth_session_lifetime=600,
        oauth_remember_consent=86_400,
        oauth_scope_words="items:read=See the catalogue; items:write = Change it;",
    )
    options = options_of(found, URL, "Catalogue")
    assert (options.session_lifetime, options.remember_consent) == (600, 86_400)
    assert options.scope_words == {"items:read": "See the catalogue", "items:write": "Change it"}


def test_addresses_of_the_pages_keep_the_path_of_the_server() -> None:
    options = LoginOptions("https://MCP.example.com:443/tools", "Catalogue")
    assert options.path("/auth/login", request="a b") == "/tools/auth/login?request=a+b"
    assert options.url("/auth/callback") == "https://MCP.example.com:443/tools/auth/callback"
    assert options.origin == "https://mcp.example.com"


def test_a_sign_in_elsewhere_imports_no_library_for_passwords_and_own_code_none_at_all() -> None:
    program = """
import sys
from mcp_server.oauth.login import app, opening, oidc, github
assert "argon2" not in sys.modules, "argon2"
assert "jwt" in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    light = """
import sys
from mcp_server.oauth.login import opening
assert not {"argon2", "jwt", "cryptography"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", light], check=True, timeout=60)


def test_a_server_without_oauth_imports_nothing_of_it() -> None:
    program = """
import sys, mcp_server, mcp_server.http_server, mcp_server.cli, mcp_server.settings
assert not [name for name in sys.modules if name.startswith("mcp_server.oauth.login") or name in {"argon2", "jwt"}]
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_users_of_one_store_can_be_asked_for_page_by_page() -> None:
    async def main() -> list[str]:
        from login_house import quick_users

        store = MemoryStore()
        await store.open()
        users = quick_users(store)
        for each in range(205):
            await users.add(f"user{each:03}", "a password of some length")
        return [account.name async for account in users.all()]

    assert asyncio.run(main()) == [f"user{each:03}" for each in range(205)]
