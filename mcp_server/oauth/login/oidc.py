"""A provider of OpenID Connect, known by its discovery document: Auth0, Keycloak, Okta, Entra, Google and others.

The authorization code flow with PKCE, state and nonce. What the provider says of a person is believed only if its
identity token is genuine; an e-mail address only if the provider has verified it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import quote, urlencode, urlsplit

from mcp_server.oauth.approvals import Person
from mcp_server.oauth.login.identity import NotGenuine, UnknownKey, claims_of
from mcp_server.oauth.login.shown import clean
from mcp_server.oauth.login.upstream import (
    Admitted,
    Errand,
    ProviderFailed,
    SecretRefused,
    check_address,
    fetched,
    mapping,
    text,
)
from mcp_server.stores.rules import Clock

WELL_KNOWN: Final = "/.well-known/openid-configuration"
_FRESH_FOR: Final = 3600.0
_SOONEST: Final = 60.0
"""How soon keys are fetched again because a token names one that is not known."""
_GOOGLE: Final = "https://accounts.google.com"
_OF_GOOGLE: Final = ("gmail.com", "googlemail.com")
_CHOOSERS: Final = ("accounts.google.com", "login.microsoftonline.com")
_NAMES: Final = {
    "accounts.google.com": "Google",
    "login.microsoftonline.com": "Microsoft",
}


@dataclass(frozen=True, slots=True)
class OidcAccount:
    """How this server is known to the provider, and what it asks for."""

    discovery: str
    """The issuer, or the address of its discovery document."""
    client_id: str
    client_secret: str
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    shown: str = ""
    """What people call the provider; its host, if nothing else is known."""


@dataclass(frozen=True, slots=True)
class _Directory:
    """What the provider says of itself."""

    issuer: str
    authorization: str
    token: str
    keys: str
    userinfo: str | None
    basic: bool
    """Whether the secret may travel in a header, which is the rule."""
    form: bool
    """Whether it may travel in the form."""
    says_issuer: bool
    chooses: bool


class Oidc:
    """Signs people in at an OpenID provider."""

    def __init__(self, account: OidcAccount, admitted: Admitted, *, clock: Clock = time.monotonic) -> None:
        base = account.discovery.removesuffix(WELL_KNOWN).rstrip("/")
        self._discovery = f"{base}{WELL_KNOWN}"
        self._account = account
        self._admitted = admitted
        self._clock = clock
        self._lock = asyncio.Lock()
        self._directory: tuple[float, _Directory] | None = None
        self._keys: tuple[float, Sequence[Mapping[str, Any]]] | None = None
        host = urlsplit(base).hostname or ""
        self.name = f"oidc:{base}"
        self.shown = account.shown or _NAMES.get(host, host)

    async def address(self, errand: Errand, *, fresh: bool) -> str:
        """The provider's page."""
        directory = await self._found()
        query = {
            "response_type": "code",
            "client_id": self._account.client_id,
            "redirect_uri": errand.redirect_uri,
            "scope": " ".join(self._account.scopes),
            "state": errand.state,
            "nonce": errand.nonce,
            "code_challenge": errand.challenge,
            "code_challenge_method": "S256",
            **({"prompt": "select_account" if directory.chooses else "login"} if fresh else {}),
        }
        return f"{directory.authorization}{'&' if '?' in directory.authorization else '?'}{urlencode(query)}"

    async def person(self, errand: Errand, answer: Mapping[str, str]) -> Person:
        """Who came back."""
        directory = await self._found()
        said = answer.get("iss")
        if said != directory.issuer and (said is not None or directory.says_issuer):
            msg = "another issuer than the one that was asked has answered"
            raise ProviderFailed(msg)
        tokens = await self._tokens(directory, errand, answer.get("code", ""))
        claims = await self._claims(directory, text(tokens, "id_token"), errand.nonce)
        email, verified = claims.get("email"), claims.get("email_verified")
        if email is None and self._admitted.needs_email and directory.userinfo is not None:
            more = await self._userinfo(directory.userinfo, text(tokens, "access_token"), claims["sub"])
            email, verified = more.get("email"), more.get("email_verified")
        proven = email if isinstance(email, str) and verified is True else None
        if proven is not None and directory.issuer == _GOOGLE and not _is_of_google(proven, claims):
            proven = None
        self._admitted.check([claims["sub"]], proven)
        return Person(f"{directory.issuer}#{claims['sub']}", _shown(claims, email))

    async def _tokens(self, directory: _Directory, errand: Errand, code: str) -> dict[str, Any]:
        own = (self._account.client_id, self._account.client_secret)
        data = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": errand.redirect_uri,
            "code_verifier": errand.verifier,
        }
        if directory.basic:
            quoted = (quote(own[0], safe=""), quote(own[1], safe=""))  # RFC 6749, 2.3.1
            try:
                return mapping(await fetched("POST", directory.token, data=data, auth=quoted))
            except SecretRefused:
                # Some let an operator choose for each client, and say what there is to choose from.
                if not directory.form:
                    raise
        data |= {"client_id": own[0], "client_secret": own[1]}
        return mapping(await fetched("POST", directory.token, data=data))

    async def _claims(self, directory: _Directory, token: str, nonce: str) -> Mapping[str, Any]:
        for again in (False, True):
            keys = await self._current_keys(directory, again=again)
            try:
                return claims_of(token, keys, issuer=directory.issuer, client_id=self._account.client_id, nonce=nonce)
            except UnknownKey as error:
                if again:
                    raise ProviderFailed(str(error)) from None
            except NotGenuine as error:
                raise ProviderFailed(f"its identity token is not genuine: {error}") from None
        raise AssertionError  # the second round returns or raises

    async def _userinfo(self, url: str, token: str, subject: str) -> dict[str, Any]:
        found = mapping(await fetched("GET", url, headers={"authorization": f"Bearer {token}"}))
        if found.get("sub") != subject:
            msg = "its userinfo is about somebody else"
            raise ProviderFailed(msg)
        return found

    async def _found(self) -> _Directory:
        async with self._lock:
            if self._directory is None or self._clock() - self._directory[0] > _FRESH_FOR:
                found = mapping(await fetched("GET", self._discovery))
                self._directory = (self._clock(), _directory(found, self._discovery))
            return self._directory[1]

    async def _current_keys(self, directory: _Directory, *, again: bool) -> Sequence[Mapping[str, Any]]:
        async with self._lock:
            old = _SOONEST if again else _FRESH_FOR
            if self._keys is None or self._clock() - self._keys[0] > old:
                found: object = mapping(await fetched("GET", directory.keys)).get("keys")
                listed = cast("list[object]", found) if isinstance(found, list) else []
                self._keys = (self._clock(), [cast("dict[str, Any]", key) for key in listed if isinstance(key, dict)])
            return self._keys[1]


def _directory(found: dict[str, Any], discovery: str) -> _Directory:
    issuer = text(found, "issuer")
    if f"{issuer.rstrip('/')}{WELL_KNOWN}" != discovery:
        msg = (
            "its discovery document is another issuer's; use the issuer's own address, with the tenant if there are any"
        )
        raise ProviderFailed(msg)
    methods: object = found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    prompts: object = found.get("prompt_values_supported", [])
    userinfo: object = found.get("userinfo_endpoint")
    authorization = text(found, "authorization_endpoint")
    check_address(authorization)
    return _Directory(
        issuer,
        authorization,
        text(found, "token_endpoint"),
        text(found, "jwks_uri"),
        userinfo if isinstance(userinfo, str) else None,
        isinstance(methods, list) and "client_secret_basic" in methods,
        isinstance(methods, list) and "client_secret_post" in methods,
        found.get("authorization_response_iss_parameter_supported") is True,
        urlsplit(issuer).hostname in _CHOOSERS or (isinstance(prompts, list) and "select_account" in prompts),
    )


def _is_of_google(email: str, claims: Mapping[str, Any]) -> bool:
    """Whether Google still knows whose address it is.

    Anybody could make an account at Google with an address of another domain, and keep it when the address had become
    somebody else's. Google says itself for which addresses it answers: its own, and those of an organisation (`hd`).
    """
    return email.casefold().rpartition("@")[2] in _OF_GOOGLE or bool(claims.get("hd"))


def _shown(claims: Mapping[str, Any], email: object) -> str:
    name: object = claims.get("name") or claims.get("preferred_username")
    shown = [clean(each) for each in (name, email) if isinstance(each, str) and clean(each)]
    return f"{shown[0]} ({shown[1]})" if len(shown) == 2 else "".join(shown)  # noqa: PLR2004 - a pair
