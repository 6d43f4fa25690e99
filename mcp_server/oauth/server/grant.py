"""A grant: what a person has allowed a client to do, and the rules by which it changes. No store, no clock.

Everything that must agree is in this one record: the code, the refresh tokens and the access tokens, as digests. Every
change is one function here and one `swap` in the store, so there is no moment in which a code is used up and its tokens
are not there, and of many who bring the same code one succeeds. A grant is ended by removing it: with it go all its
tokens at once.

    allowed ──redeem──> in use ──refresh──> in use …
       │                   └── a used code, a refresh token used long ago ──> removed
       └── a wrong proof, too late ──> removed

Refresh tokens are used once. In `grace` seconds after that, one more use is taken for what it usually is, a client that
asked twice at once or lost the answer, and answered with one more token. Of those siblings the first to be used puts
the others into their grace in turn. So whoever has stolen a token, sooner or later one of the two brings one that has
been used up: the grant ends. Tokens older than the grace are not remembered one by one; they are known by `family`.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic_core import from_json, to_json

from mcp_server.oauth.server.handles import digest, family_of, new_family, new_handout, place_of

MOST_ACCESS: Final = 32
"""How many access tokens of a grant are good at once; the oldest makes room."""
MOST_REFRESH: Final = 64
"""How many refresh tokens of a grant may be good at once; none of them is dropped, whoever wants more has to wait."""


@dataclass(frozen=True, slots=True)
class Code:
    """The code of a grant; it stays when it is used, so that a second use is seen."""

    digest: str
    challenge: str
    redirect_uri: str
    redirect_named: bool
    expires: float
    used: bool = False


@dataclass(frozen=True, slots=True)
class Refresh:
    """A refresh token, and when it was used."""

    digest: str
    used: float | None = None


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token."""

    digest: str
    expires: float
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody has allowed a client to do."""

    client: str
    client_name: str
    subject: str
    name: str
    """Of the person, to be shown."""
    scopes: tuple[str, ...]
    resource: str
    made: float
    code: Code | None = None
    family: str | None = None
    refresh: tuple[Refresh, ...] = ()
    access: tuple[AccessToken, ...] = ()

    def good(self, token: str, now: float) -> AccessToken | None:
        """The access token that a text is."""
        wanted = digest(token)
        return next(
            (each for each in self.access if hmac.compare_digest(each.digest, wanted) and now < each.expires), None
        )

    def is_code(self, text: str) -> bool:
        """Whether a text is the code of this grant."""
        return self.code is not None and hmac.compare_digest(self.code.digest, digest(text))

    def is_refresh(self, text: str) -> bool:
        """Whether a text is a refresh token of this grant, of now or of before."""
        return self.family is not None and hmac.compare_digest(self.family, digest(family_of(text)))

    def refreshable(self, token: str, now: float, grace: float) -> bool:
        """Whether a refresh token is good: not used, or used a moment ago."""
        wanted = digest(token)
        return any(
            hmac.compare_digest(each.digest, wanted) and (each.used is None or now - each.used <= grace)
            for each in self.refresh
        )

    def is_crowded(self, now: float, grace: float) -> bool:
        """Whether so many refresh tokens are good, or in their grace, that there is no room for another."""
        return sum(1 for each in self.refresh if each.used is None or now - each.used <= grace) >= MOST_REFRESH

    def redeemed(self, code: str, now: float, lifetime: int, *, refreshes: bool) -> tuple[Grant, str, str | None]:
        """The grant after its code was used, with an access token and perhaps a refresh token."""
        place = place_of(code)
        used = replace(self, code=replace(self.code, used=True) if self.code else None)
        if not refreshes:
            return *used.with_access(place, self.scopes, now, lifetime), None
        family = new_family()
        token = new_handout(place, family)
        grant = replace(used, family=digest(family), refresh=(Refresh(digest(token)),))
        return *grant.with_access(place, self.scopes, now, lifetime), token

    def refreshed(
        self, token: str, scopes: tuple[str, ...], now: float, grace: float, lifetime: int
    ) -> tuple[Grant, str, str]:
        """The grant after a refresh token was used, with the new tokens."""
        wanted, place = digest(token), place_of(token)
        found = next(each for each in self.refresh if each.digest == wanted)
        others = tuple(each for each in self.refresh if each is not found)
        if found.used is None:
            # The first use retires the token itself and its siblings.
            others = tuple(replace(each, used=now) if each.used is None else each for each in others)
            found = replace(found, used=now)
        lasting = tuple(each for each in (*others, found) if each.used is None or now - each.used <= grace)
        new = new_handout(place, family_of(token))
        grant = replace(self, refresh=(*lasting, Refresh(digest(new))))
        return *grant.with_access(place, scopes, now, lifetime), new

    def with_access(self, place: str, scopes: tuple[str, ...], now: float, lifetime: int) -> tuple[Grant, str]:
        """The grant with one more access token."""
        token = new_handout(place)
        lasting = tuple(each for each in self.access if now < each.expires)
        access = (*lasting, AccessToken(digest(token), now + lifetime, scopes))[-MOST_ACCESS:]
        return replace(self, access=access), token


def written(grant: Grant) -> bytes:
    """A grant as it is stored."""
    return to_json(grant)


def read(value: bytes) -> Grant:
    """A grant that was stored."""
    said: Mapping[str, Any] = from_json(value)
    return Grant(
        client=said["client"],
        client_name=said["client_name"],
        subject=said["subject"],
        name=said["name"],
        scopes=tuple(said["scopes"]),
        resource=said["resource"],
        made=said["made"],
        code=None if said["code"] is None else Code(**said["code"]),
        family=said["family"],
        refresh=tuple(Refresh(**each) for each in said["refresh"]),
        access=tuple(AccessToken(each["digest"], each["expires"], tuple(each["scopes"])) for each in said["access"]),
    )
