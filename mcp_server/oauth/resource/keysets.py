"""The public keys of an issuer, which change while nobody tells us.

They are fetched when they are first needed and when they are no longer fresh, by one request for all who wait. A
token that names a key which is not among them may be signed with a new one, so that they are fetched again; strangers
can write such tokens, so that this happens at most every `PAUSE` seconds. When the issuer is away, the keys that are
known go on being good for `STALE` seconds. After that nobody can tell what is valid, and nothing passes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from mcp_server.oauth.access import VerifierUnavailable
from mcp_server.oauth.resource.fetching import Document, Fetcher, FetchFailed, may_be_asked
from mcp_server.oauth.resource.flights import Flights
from mcp_server.protocol.messages import is_list, is_object

PAUSE: Final = 30.0
STALE: Final = 6 * 3600.0
FRESH: Final = 3600.0
"""How long keys are fresh if the issuer does not say; what it says counts between the two below."""
_FRESH_AT_LEAST: Final = 60.0
_FRESH_AT_MOST: Final = 24 * 3600.0
_MOST_KEYS: Final = 64
_SMALLEST_RSA: Final = 2048

_RSA: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
ALGORITHMS: Final = frozenset({*_RSA, *_CURVES.values(), "EdDSA"})
"""What may sign. Nothing that is checked with a secret: a public key is none."""

logger = logging.getLogger("mcp_server.oauth")


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key, and the algorithms for which it is good."""

    key: Any
    kid: str | None
    algorithms: frozenset[str]


class KeySet:
    """The keys of one issuer, found through its metadata unless it is said where they are."""

    def __init__(
        self, issuer: str, fetcher: Fetcher, url: str | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._issuer = issuer
        self._fetcher = fetcher
        self._url = url
        self._clock = clock
        self._keys: tuple[PublicKey, ...] = ()
        self._fetched = self._tried = float("-inf")
        self._fresh_for = 0.0
        self._answered = False
        self._flights: Flights[None] = Flights()

    async def keys_for(self, algorithm: str, kid: str | None) -> list[PublicKey]:
        """The keys that may have signed a token; none if the issuer has no such key.

        Raises:
            VerifierUnavailable: The issuer cannot be asked, and what is known of its keys is too old.
        """
        now = self._clock()
        if now - self._fetched >= self._fresh_for:
            await self._refresh(now)
        found = self._matching(algorithm, kid)
        if not found:
            await self._refresh(now)
            found = self._matching(algorithm, kid)
        if not found and not self._answered:
            raise VerifierUnavailable(self._issuer)
        return found

    def _matching(self, algorithm: str, kid: str | None) -> list[PublicKey]:
        good = [key for key in self._keys if algorithm in key.algorithms]
        if kid is not None:
            return [key for key in good if key.kid == kid]
        # A token need not name its key where there is no choice; otherwise it would be tried against every one.
        return good if len(good) == 1 else []

    async def _refresh(self, now: float) -> None:
        """Fetch the keys, unless that was tried a moment ago."""
        if now - self._tried >= PAUSE or self._flights.under_way(self._issuer):
            await self._flights.join(self._issuer, self._fetch)
        if self._clock() - self._fetched >= self._fresh_for + STALE:
            raise VerifierUnavailable(self._issuer)

    async def _fetch(self) -> None:
        self._tried = self._clock()
        try:
            document = await self._document()
            keys = tuple(_keys(document.content))
        except FetchFailed as error:
            self._answered = False
            logger.warning("The keys of %s cannot be fetched: %s", self._issuer, error)
            return
        max_age = FRESH if document.max_age is None else document.max_age
        self._keys = keys
        self._answered = True
        self._fetched = self._clock()
        self._fresh_for = min(max(max_age, _FRESH_AT_LEAST), _FRESH_AT_MOST)
        logger.info("The keys of %s: %d, good for %d s", self._issuer, len(keys), self._fresh_for)

    async def _document(self) -> Document:
        return await self._fetcher.get(self._url or await self._found())

    async def _found(self) -> str:
        """Where the issuer says that its keys are, by whichever of the standards it follows."""
        faults: list[str] = []
        for url in _metadata_urls(self._issuer):
            try:
                content = (await self._fetcher.get(url)).content
            except FetchFailed as error:
                faults.append(f"{url}: {error}")
                continue
            # Somebody else's metadata would bring somebody else's keys.
            if content.get("issuer") != self._issuer:
                faults.append(f"{url}: it is the metadata of another issuer")
                continue
            keys = content.get("jwks_uri")
            if not isinstance(keys, str) or not may_be_asked(keys):
                raise FetchFailed("its metadata name no jwks_uri that begins with https://")
            return keys
        raise FetchFailed("; ".join(faults))


def _metadata_urls(issuer: str) -> Iterable[str]:
    """The places where an issuer's metadata may be (OpenID Connect Discovery, RFC 8414 and both together)."""
    base = issuer.rstrip("/")
    scheme, _, rest = base.partition("://")
    host, slash, path = rest.partition("/")
    root = f"{scheme}://{host}/.well-known/"
    yield f"{base}/.well-known/openid-configuration"
    yield f"{root}oauth-authorization-server{slash}{path}"
    if path:
        yield f"{root}openid-configuration/{path}"


def _keys(document: Mapping[str, Any]) -> Iterable[PublicKey]:
    listed = document.get("keys")
    if not is_list(listed):
        raise FetchFailed("a document without keys")
    if len(listed) > _MOST_KEYS:
        raise FetchFailed("more keys than an issuer has")
    for entry in listed:
        if is_object(entry) and (key := _key(entry)) is not None:
            yield key


def _key(entry: Mapping[str, Any]) -> PublicKey | None:
    """A key that is for checking signatures; None for every other, and for what we cannot read."""
    if entry.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK(dict(entry)).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, NotImplementedError):
        return None
    algorithms = _algorithms(key)
    if "alg" in entry:
        algorithms &= {entry["alg"]} if isinstance(entry["alg"], str) else frozenset()
    kid = entry.get("kid")
    return PublicKey(key, kid if isinstance(kid, str) else None, algorithms) if algorithms else None


def _algorithms(key: object) -> frozenset[str]:
    match key:
        case RSAPublicKey():
            return _RSA if key.key_size >= _SMALLEST_RSA else frozenset()
        case EllipticCurvePublicKey():
            algorithm = _CURVES.get(key.curve.name)
            return frozenset({algorithm}) if algorithm else frozenset()
        case Ed25519PublicKey() | Ed448PublicKey():
            return frozenset({"EdDSA"})
        case _:  # a private key, or a secret, which nobody should publish
            return frozenset()
