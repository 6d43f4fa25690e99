"""Tokens and documents in the shapes that providers document, from an issuer on this machine that has their paths.

The providers themselves cannot be reached from here. What is written down is what each says of its own tokens: names of
claims, the spelling of the issuer, where the keys are. Keys and signatures are real.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from guarded_shop import street
from token_office import AUDIENCE, Office

from mcp_server.settings import Settings, SettingsError

TENANT = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"
APPLICATION = "6e74172b-be56-4843-9ff4-e66a39bb12e3"


@dataclass(frozen=True)
class Shape:
    """How the tokens of a provider look, and where its documents are; `{url}` is its address."""

    issuer: str
    keys: str
    claims: dict[str, Any]
    who: tuple[str, str]
    """The subject and the client that a tool learns of."""
    audience: str = AUDIENCE
    header: dict[str, Any] = field(default_factory=dict[str, Any])
    key: dict[str, Any] = field(default_factory=dict[str, Any])
    further_keys: tuple[dict[str, Any], ...] = ()
    settings: dict[str, Any] = field(default_factory=dict[str, Any])


AUTH0 = Shape(
    issuer="{url}/",
    keys="{url}/.well-known/jwks.json",
    claims={
        "sub": "auth0|507f1f77bcf86cd799439020",
        "aud": [AUDIENCE, "https://tenant.eu.auth0.com/userinfo"],
        "azp": "DIMYvzZ6g5NVOnJb",
        "scope": "openid profile items:read offline_access",
        "permissions": ["items:read"],
        "gty": "password",
    },
    who=("auth0|507f1f77bcf86cd799439020", "DIMYvzZ6g5NVOnJb"),
    key={"alg": "RS256", "x5t": "Njc0", "x5c": ["MIIC"]},
)
AUTH0_BY_RFC_9068 = Shape(
    issuer="{url}/",
    keys="{url}/.well-known/jwks.json",
    claims={
        "sub": "auth0|507f1f77bcf86cd799439020",
        "client_id": "DIMYvzZ6g5NVOnJb",
        "jti": "8cf4",
        "scope": "items:read",
    },
    who=("auth0|507f1f77bcf86cd799439020", "DIMYvzZ6g5NVOnJb"),
    header={"typ": "at+jwt"},
)
KEYCLOAK = Shape(
    issuer="{url}/realms/acme",
    keys="{url}/realms/acme/protocol/openid-connect/certs",
    claims={
        "sub": "f1b4a1f2-7c0e-4c2e-9a7e-6f0c1f0f6c55",
        "aud": [AUDIENCE, "account"],
        "typ": "Bearer",
        "azp": "claude",
        "sid": "0b8c",
        "acr": "1",
        "allowed-origins": ["*"],
        "realm_access": {"roles": ["offline_access", "items:write"]},
        "resource_access": {"account": {"roles": ["view-profile"]}},
        "scope": "profile email items:read",
        "preferred_username": "anna",
        "email_verified": True,
    },
    who=("f1b4a1f2-7c0e-4c2e-9a7e-6f0c1f0f6c55", "claude"),
    header={"typ": "JWT"},
    key={"alg": "RS256", "x5t#S256": "abc"},
    further_keys=({"kid": "enc", "use": "enc", "alg": "RSA-OAEP"},),
)
ENTRA = Shape(
    issuer="{url}/" + TENANT + "/v2.0",
    keys="{url}/" + TENANT + "/discovery/v2.0/keys",
    claims={
        "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
        "aud": APPLICATION,
        "azp": "client-app",
        "azpacr": "0",
        "oid": "oid-1",
        "scp": "items.read items.look",
        "tid": TENANT,
        "uti": "u",
        "ver": "2.0",
        "preferred_username": "anna@example.com",
        "scope": None,
    },
    who=("AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ", "client-app"),
    header={"typ": "JWT"},
    key={"x5t": "kid", "x5c": ["MIIC"], "issuer": "{url}/" + TENANT + "/v2.0"},
    settings={"oauth_audience": APPLICATION},
)
ENTRA_V1 = Shape(
    issuer="{url}/" + TENANT + "/",
    keys="{url}/common/discovery/keys",
    claims={
        "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
        "aud": f"api://{APPLICATION}",
        "appid": "client-app",
        "appidacr": "0",
        "scp": "items.read",
        "ver": "1.0",
        "unique_name": "anna@example.com",
        "scope": None,
    },
    who=("AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ", "client-app"),
    settings={"oauth_audience": f"api://{APPLICATION}"},
)
OKTA = Shape(
    issuer="{url}/oauth2/default",
    keys="{url}/oauth2/default/v1/keys",
    claims={
        "ver": 1,
        "jti": "AT.0mP4",
        "cid": "nmdP1fcyvdVO11AL7ECm",
        "uid": "00uid4BxXw6I6TV4m0g3",
        "scp": ["openid", "items:read"],
        "sub": "anna@example.com",
        "auth_time": 1,
        "scope": None,
    },
    who=("anna@example.com", "nmdP1fcyvdVO11AL7ECm"),
    header={"typ": None},
    key={"alg": "RS256"},
)
SHAPES = {
    "Auth0": AUTH0,
    "Auth0, RFC 9068": AUTH0_BY_RFC_9068,
    "Keycloak": KEYCLOAK,
    "Entra": ENTRA,
    "Entra, version 1": ENTRA_V1,
    "Okta": OKTA,
}


def as_at(office: Office, value: Any) -> Any:
    return value.replace("{url}", office.url) if isinstance(value, str) else value


def issuer_of(office: Office, shape: Shape) -> str:
    """Have the office be that provider."""
    issuer: str = as_at(office, shape.issuer)
    keys: str = as_at(office, shape.keys)
    where = f"{issuer.rstrip('/')}/.well-known/openid-configuration".removeprefix(office.url)
    office.documents[where] = {"issuer": issuer, "jwks_uri": keys, "authorization_endpoint": f"{issuer}/authorize"}
    key = {name: as_at(office, value) for name, value in shape.key.items()}
    further = [office.public("p256", **each) for each in shape.further_keys]
    office.documents[keys.removeprefix(office.url)] = {"keys": [*further, office.public("rsa", kid="rsa", **key)]}
    office.oidc = False
    return issuer


def token_of(office: Office, shape: Shape, **claims: Any) -> str:
    """What that provider issues."""
    said: dict[str, Any] = {
        "client_id": None,
        "aud": shape.audience,
        "iss": as_at(office, shape.issuer),
        **shape.claims,
        **claims,
    }
    return office.issue(headers=shape.header, **said)


def asked(office: Office, shape: Shape, *tokens: str, tool: str = "look") -> list[httpx2.Response]:
    """What each token gets from a tool that needs `items:read`."""
    issuer = issuer_of(office, shape)

    async def main() -> list[httpx2.Response]:
        async with street(oauth_issuers=issuer, **shape.settings) as there:
            return [await there.visitor(token).call(tool) for token in tokens]

    return asyncio.run(main())


@pytest.mark.parametrize("name", SHAPES)
def test_a_token_in_the_shape_of_a_provider_is_understood(office: Office, name: str) -> None:
    shape = SHAPES[name]
    dotted = {"scp": "items:read items.look"} if "items.read" in str(shape.claims) else {}
    [answer] = asked(office, shape, token_of(office, shape, **dotted))
    said = answer.json()["result"]["structuredContent"]
    assert (said["subject"], said["client"]) == shape.who
    assert said["issuer"] == as_at(office, shape.issuer)
    assert "items:read" in said["scopes"]
    assert said["may write"] is False


@pytest.mark.parametrize("name", SHAPES)
def test_a_token_in_the_shape_of_a_provider_is_checked_like_any_other(office: Office, name: str) -> None:
    shape = SHAPES[name]
    wrong = [
        token_of(office, shape, aud="https://graph.example.com"),
        token_of(office, shape, iss=f"{office.url}/of-somebody-else"),
        token_of(office, shape, iss=as_at(office, shape.issuer).rstrip("/") + ("" if shape.issuer[-1] == "/" else "/")),
        token_of(office, shape, exp=1),
    ]
    assert [answer.status_code for answer in asked(office, shape, *wrong, tool="hello")] == [401] * 4


@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("Entra", {"azp": None, "azpacr": None, "scp": None, "nonce": "n", "name": "Anna"}),
        ("Entra, version 1", {"appid": None, "appidacr": None, "scp": None, "nonce": "n"}),
        ("Keycloak", {"typ": "ID", "scope": None, "nonce": "n", "at_hash": "h"}),
        ("Keycloak", {"typ": "ID", "scope": None}),
        ("Okta", {"cid": None, "scp": None, "nonce": "n", "at_hash": "h", "amr": ["pwd"]}),
        ("Auth0", {"azp": None, "scope": None, "nonce": "n", "sid": "s"}),
        ("Auth0", {"scope": None, "c_hash": "h"}),
    ],
)
def test_an_identity_token_opens_nothing(office: Office, name: str, claims: dict[str, Any]) -> None:
    """One application may be both client and resource: then the audience does not tell the two kinds apart."""
    shape = SHAPES[name]
    assert [each.status_code for each in asked(office, shape, token_of(office, shape, **claims), tool="hello")] == [401]


def test_an_access_token_may_have_a_nonce(office: Office) -> None:
    """Those of older Keycloaks do."""
    assert asked(office, KEYCLOAK, token_of(office, KEYCLOAK, nonce="n"))[0].status_code == 200


def test_roles_are_no_scopes(office: Office) -> None:
    token = token_of(office, ENTRA, scp=None, roles=["items:read"])
    assert asked(office, ENTRA, token)[0].status_code == 403


@pytest.mark.parametrize("tenant", ["common", "organizations", "consumers", "COMMON"])
def test_a_tenant_of_everybody_is_no_issuer(tenant: str) -> None:
    with pytest.raises(SettingsError, match="OAUTH_ISSUERS must name your own tenant"):
        Settings(  # pyright: ignore[reportCallIssue]
            oauth_issuers=f"https://login.microsoftonline.com/{tenant}/v2.0",  # pyright: ignore[reportArgumentType]
            public_url="https://api.example.com",
        )


def test_a_document_that_names_a_template_is_not_that_of_the_issuer(office: Office) -> None:
    """What the addresses for many tenants say: `{tenantid}` stands for whoever has signed in."""
    issuer = issuer_of(office, ENTRA)
    where = f"{issuer}/.well-known/openid-configuration".removeprefix(office.url)
    office.documents[where]["issuer"] = office.url + "/{tenantid}/v2.0"

    async def main() -> int:
        async with street(oauth_issuers=issuer, **ENTRA.settings) as there:
            return (await there.visitor(token_of(office, ENTRA)).call("hello")).status_code

    assert asyncio.run(main()) == 503
