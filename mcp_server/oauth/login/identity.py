"""What an identity token says, if it is one for us (OpenID Connect Core 3.1.3.7). Pure."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import jwt

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures that only the provider can make. With HS256 the key would be a secret that others share."""

_LEEWAY: Final = 60
_ALSO: Final = {"https://accounts.google.com": ("accounts.google.com",)}
"""What an issuer calls itself as well, by its own documentation."""
_REQUIRED: Final = ("iss", "sub", "aud", "exp", "iat", "nonce")
_LONGEST_SUBJECT: Final = 255


class NotGenuine(Exception):  # noqa: N818 - it is what it is
    """The token is not to be believed."""


class UnknownKey(NotGenuine):
    """None of the keys is the one it names: perhaps there are newer ones."""


def claims_of(
    token: str, keys: Sequence[Mapping[str, Any]], *, issuer: str, client_id: str, nonce: str
) -> Mapping[str, Any]:
    """The claims of a token that this issuer made for this client and this very sign-in.

    Raises:
        NotGenuine: It is anything else.
    """
    try:
        header = jwt.get_unverified_header(token)
        algorithm: Any = header.get("alg")
        if algorithm not in ALGORITHMS:
            msg = "it is not signed in a way that is accepted"
            raise NotGenuine(msg)
        claims = jwt.decode(
            token,
            _key(keys, header.get("kid"), algorithm),
            algorithms=[algorithm],
            audience=client_id,
            issuer=[issuer, *_ALSO.get(issuer, ())],
            leeway=_LEEWAY,
            options={"require": list(_REQUIRED)},
        )
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, NotImplementedError) as error:  # by a key that is none
        msg = f"{type(error).__name__}: {error}"
        raise NotGenuine(msg) from None
    _check_for_us(claims, client_id, nonce)
    return claims


def _check_for_us(claims: Mapping[str, Any], client_id: str, nonce: str) -> None:
    said: object = claims["nonce"]
    if not isinstance(said, str) or not hmac.compare_digest(said.encode(), nonce.encode()):
        msg = "it was made for another sign-in"
        raise NotGenuine(msg)
    audience: object = claims["aud"]
    party: object = claims.get("azp")
    several = isinstance(audience, list) and len(cast("list[object]", audience)) > 1
    if party != client_id and (several or party is not None):
        msg = "it was made for another party"
        raise NotGenuine(msg)
    subject: object = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT or not subject.isprintable():
        msg = "it has no subject"
        raise NotGenuine(msg)


def _key(keys: Sequence[Mapping[str, Any]], kid: object, algorithm: str) -> jwt.PyJWK:
    """The key that a token names; a token may name none if there is only one for its algorithm."""
    family = {"R": "RSA", "P": "RSA", "E": "OKP" if algorithm == "EdDSA" else "EC"}[algorithm[0]]
    fit = [
        key
        for key in keys
        if key.get("kty") == family and key.get("use", "sig") == "sig" and key.get("alg", algorithm) == algorithm
    ]
    named = fit if kid is None else [key for key in fit if key.get("kid") == kid]
    if len(named) != 1:
        msg = "none of the provider's keys is the one that it names"
        raise UnknownKey(msg)
    return jwt.PyJWK(dict(named[0]), algorithm=algorithm)
