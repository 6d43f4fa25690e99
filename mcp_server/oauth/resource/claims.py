"""What every token must say, however it came to be known: from whom it is, for whom, from when and until when.

Conditions are written so that whatever is strange fails them: a number that is none, a list where a word belongs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from mcp_server.oauth.access import Access
from mcp_server.protocol.messages import is_list

LEEWAY: Final = 30.0
"""How many seconds the clock of an issuer may differ from ours."""
_LAST_SECOND: Final = 1e12
_MOST_SCOPES: Final = 256
_CLIENT: Final = ("client_id", "azp", "cid", "appid")
"""Where issuers name the program to which they gave the token; the first is the standard."""


class Invalid(Exception):  # noqa: N818 - it is what is known of the token
    """The token is not valid here; the text says why, for the log and not for whoever sent it."""


class Demands:
    """What is demanded of the claims of a token: one of these audiences, and that it is its time."""

    def __init__(self, audiences: Collection[str]) -> None:
        self._audiences = frozenset(map(canonical, audiences))

    def access(self, claims: Mapping[str, Any], now: float, *, issuer: str, lasting: bool = False) -> Access:
        """What a token says of whose origin is certain; with `lasting`, it need not say when it expires.

        Raises:
            Invalid: It is not for us, it is not its time, or it names nobody.
        """
        expires = None if lasting and claims.get("exp") is None else _expiry(claims, now)
        begins = _seconds(claims.get("nbf", 0))
        if begins is None or not now >= begins - LEEWAY:
            raise Invalid("it is not valid yet (nbf)")
        if not any(canonical(each) in self._audiences for each in _texts(claims.get("aud"))):
            raise Invalid("it is meant for another server (aud)")
        if _is_of_identity(claims):
            raise Invalid("it is an identity token, which says who has signed in and is no key to anything")
        if claims.get("cnf") is not None:
            raise Invalid("it is bound to a key of its bearer (cnf), which is not supported")
        client = next((claims[name] for name in _CLIENT if _is_text(claims.get(name))), "")
        subject = claims.get("sub", client)
        if not _is_text(subject):
            raise Invalid("it names nobody (sub)")
        return Access(subject, client, _scopes(claims), issuer, expires, claims)


def canonical(audience: str) -> str:
    """An audience whose scheme and host, if it is a URL, are in lower case, since they have none."""
    try:
        parts = urlsplit(audience)
    except ValueError:
        return audience
    if not parts.netloc:
        return audience
    return urlunsplit(parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower()))


def _is_of_identity(claims: Mapping[str, Any]) -> bool:
    """Whether it is for the client itself (OpenID Connect); the audience tells nothing where the two are one."""
    if "at_hash" in claims or "c_hash" in claims or claims.get("typ") == "ID":
        return True
    return "nonce" in claims and not any(name in claims for name in _CLIENT)


def _expiry(claims: Mapping[str, Any], now: float) -> float:
    expires = _seconds(claims.get("exp"))
    if expires is None or not now < expires + LEEWAY:
        raise Invalid("it has expired, or does not say when it does (exp)")
    return expires


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """Issuers write them as one text or as a list, under the one name or the other."""
    found: list[str] = []
    for name in ("scope", "scp"):
        value = claims.get(name)
        found += value.split() if isinstance(value, str) else _texts(value)
    return frozenset(found[:_MOST_SCOPES])


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [each for each in value if isinstance(each, str)] if is_list(value) else []


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 1024  # noqa: PLR2004 - what a name can be


def _seconds(value: Any) -> float | None:
    """A point in time; None for what is none, such as a number that no clock will show."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LAST_SECOND:
        return None
    return float(value)
