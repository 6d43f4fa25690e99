"""What real clients do, in their order: Claude and ChatGPT replayed, the official Python client itself."""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from issuing import CLAUDE, Flow, House, flow, house
from jwt.algorithms import ECAlgorithm
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.client.auth.extensions.client_credentials import (
    ClientCredentialsOAuthProvider,
    PrivateKeyJWTOAuthProvider,
    SignedJWTParameters,
)
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl
from sites import site

from mcp_server.oauth.server.client import Client
from mcp_server.oauth.server.handles import digest

CHATGPT = ("https://chatgpt.com/connector/oauth/AbCdEf123456", "https://chatgpt.com/connector_platform_oauth_redirect")


def discovered(home: House, http: httpx2.Client) -> dict[str, Any]:
    """From the 401 to the metadata of the authorization server, as both of them do."""
    refused = http.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "initialize"})
    assert refused.status_code == 401
    where = refused.headers["www-authenticate"].partition('resource_metadata="')[2].partition('"')[0]
    resource = http.get(where).json()
    assert resource["resource"] == f"{home.url}/mcp"
    (issuer,) = resource["authorization_servers"]
    said = http.get(f"{issuer}/.well-known/oauth-authorization-server").json()
    assert said["issuer"] == issuer
    return said


def called(home: House, http: httpx2.Client, token: str) -> Any:
    answer = http.post("/mcp", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    return answer.json()


def test_claude_registers_signs_in_and_calls(home: House) -> None:
    with home.client() as http:
        said = discovered(home, http)
        registration = {
            "client_name": "Claude",
            "redirect_uris": list(CLAUDE),
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "scope": "read write",
        }
        answer = http.post(said["registration_endpoint"], json=registration)
        assert answer.status_code == 201
        for uri in CLAUDE:
            client = Flow(home, http, answer.json()["client_id"], uri)
            assert called(home, http, client.tokens(scope="read write")["access_token"])["subject"] == "local:anna"


def test_claude_is_known_by_its_document(tmp_path: Path) -> None:
    with site(tmp_path) as other, house(http=other.http, resolve=other.resolve, loopback_documents=True) as home:
        identity = other.url("/oauth/claude-connector.json")
        other.pages["/oauth/claude-connector.json"] = {
            "client_id": identity,
            "client_name": "Claude",
            "client_uri": "https://claude.ai",
            "logo_uri": "https://claude.ai/logo.png",
            "redirect_uris": list(CLAUDE),
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }
        with flow(home, client_id=identity, redirect_uri=CLAUDE[1]) as client:
            said = discovered(home, client.http)
            # Without these two Claude registers instead.
            assert said["client_id_metadata_document_supported"] is True
            assert "none" in said["token_endpoint_auth_methods_supported"]
            assert called(home, client.http, client.tokens()["access_token"])["client"] == identity


def test_claude_refreshes_twice_at_the_same_moment_and_stays_signed_in(claude: Flow) -> None:
    tokens = claude.tokens()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(claude.refresh, [tokens["refresh_token"]] * 8))
    assert [answer.status_code for answer in answers] == [200] * 8
    # Whichever answer its processes keep, that one goes on.
    claude.house.clock.now += 3600
    kept = answers[3].json()
    assert called(claude.house, claude.http, claude.refresh(kept["refresh_token"]).json()["access_token"])


def test_claude_loses_an_answer_and_asks_again(claude: Flow) -> None:
    tokens = claude.tokens()
    claude.refresh(tokens["refresh_token"])  # nobody reads this
    claude.house.clock.now += 20
    again = claude.refresh(tokens["refresh_token"])
    assert again.status_code == 200
    claude.house.clock.now += 3600
    assert claude.refresh(again.json()["refresh_token"]).status_code == 200


def test_claude_registers_anew_when_its_client_is_gone(claude: Flow) -> None:
    tokens = claude.tokens()
    claude.house.run(claude.house.store.delete("oauth-client", claude.client_id))
    answer = claude.refresh(tokens["refresh_token"])
    # Exactly this makes it register again; anything else leaves the connector broken.
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    claude.register()
    assert called(claude.house, claude.http, claude.tokens()["access_token"])


@pytest.mark.parametrize("uri", CHATGPT)
def test_chatgpt_registers_signs_in_and_calls(home: House, uri: str) -> None:
    with flow(home, client_id="none yet", redirect_uri=uri) as client:
        # It asks at the path of the resource as well.
        for path in ("/.well-known/oauth-authorization-server/mcp", "/.well-known/openid-configuration/mcp"):
            assert client.http.get(path).json()["issuer"] == home.url
        discovered(home, client.http)
        client.register(client_name="ChatGPT", grant_types=["authorization_code", "refresh_token"])
        tokens = client.tokens(scope="read write offline_access")
        assert called(home, client.http, tokens["access_token"])["scopes"] == ["offline_access", "read", "write"]
        assert client.refresh(tokens["refresh_token"], resource=f"{home.url}/mcp").status_code == 200


@pytest.mark.parametrize("uri", CHATGPT)
def test_chatgpt_is_known_by_its_document(tmp_path: Path, uri: str) -> None:
    with site(tmp_path) as other, house(http=other.http, resolve=other.resolve, loopback_documents=True) as home:
        identity = other.url("/chatgpt/client.json")
        said = {"client_id": identity, "client_name": "ChatGPT", "redirect_uris": list(CHATGPT)}
        other.pages["/chatgpt/client.json"] = {**said, "token_endpoint_auth_method": "none"}
        with flow(home, client_id=identity, redirect_uri=uri) as client:
            assert called(home, client.http, client.tokens()["access_token"])["client"] == identity


def test_chatgpt_uses_a_client_that_the_operator_has_made() -> None:
    known = Client("chatgpt", "ChatGPT", "settings", CHATGPT, "client_secret_post", secret=digest("made by us"))
    with house(known=[known]) as home, flow(home, client_id="chatgpt", redirect_uri=CHATGPT[0]) as client:
        answer = client.redeem(client.code(), client_secret="made by us")
        assert called(home, client.http, answer.json()["access_token"])["client"] == "chatgpt"


@pytest.mark.parametrize("uri", ["cursor://anysphere.cursor-mcp/oauth/callback", "http://127.0.0.1:33418/"])
def test_an_editor_registers_with_an_address_of_its_own(home: House, uri: str) -> None:
    with flow(home, client_id="none yet", redirect_uri=uri) as client:
        client.register(application_type="native")
        assert called(home, client.http, client.tokens()["access_token"])


def test_a_client_of_2025_03_26_finds_everything_without_a_protected_resource(home: House) -> None:
    with flow(home, client_id="none yet", redirect_uri="http://127.0.0.1:1/cb") as client:
        assert client.http.get("/.well-known/oauth-authorization-server").status_code == 200
        client.register()
        tokens = client.redeem(client.code(resource=None), resource=None).json()
        assert called(home, client.http, tokens["access_token"])


# The official client


class Kept:
    """What the official client keeps between two runs."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


def official(home: House, kept: Kept, **options: Any) -> OAuthClientProvider:
    back: list[str] = []

    async def redirect(address: str) -> None:
        async with httpx2.AsyncClient(trust_env=False) as browser:
            page = (await browser.get(address)).headers["location"]
            back.append((await browser.get(f"{home.url}{page}")).headers["location"])

    async def callback() -> AuthorizationCodeResult:
        found = httpx2.URL(back[-1]).params
        return AuthorizationCodeResult(code=found["code"], state=found["state"], iss=found["iss"])

    about = OAuthClientMetadata(redirect_uris=[AnyUrl("http://127.0.0.1:1455/cb")], client_name="Official")
    return OAuthClientProvider(f"{home.url}/mcp", about, kept, redirect, callback, **options)


def asked(home: House, auth: httpx2.Auth) -> Any:
    async def main() -> Any:
        async with httpx2.AsyncClient(auth=auth, trust_env=False) as http:
            answer = await http.post(f"{home.url}/mcp")
            assert answer.status_code == 200
            return answer.json()

    return asyncio.run(main())


def test_the_official_client_registers_signs_in_and_refreshes(home: House) -> None:
    kept = Kept()
    said = asked(home, official(home, kept))
    assert said["subject"] == "local:anna"
    assert "offline_access" in said["scopes"]
    assert kept.tokens
    assert kept.tokens.refresh_token
    # It refreshes by itself once the token is over by its own clock, and asks nobody.
    before = kept.tokens.refresh_token
    again = official(home, kept)
    again.context.token_expiry_time = 1.0
    again.context.redirect_handler = None
    assert asked(home, again)["subject"] == "local:anna"
    assert kept.tokens.refresh_token != before


def test_the_official_client_asks_in_its_own_name() -> None:
    known = Client(
        "machine", known_by="settings", method="client_secret_basic", grants=frozenset({"client_credentials"})
    )
    secret = secrets.token_urlsafe(16)
    with house(known=[replace(known, secret=digest(secret))]) as home:
        auth = ClientCredentialsOAuthProvider(f"{home.url}/mcp", Kept(), "machine", secret, issuer=home.url)
        assert asked(home, auth)["subject"] == "client:machine"


def test_the_official_client_signs_who_it_is() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public: Any = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    known = Client("signer", "", "settings", (), "private_key_jwt", frozenset({"client_credentials"}), keys=(public,))
    with house(known=[known]) as home:
        signing = SignedJWTParameters(
            issuer="signer", subject="signer", signing_key=pem.decode(), signing_algorithm="ES256"
        )
        auth = PrivateKeyJWTOAuthProvider(
            f"{home.url}/mcp", Kept(), "signer", signing.create_assertion_provider(), issuer=home.url
        )
        assert asked(home, auth)["subject"] == "client:signer"
