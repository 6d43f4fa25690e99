"""Asking an issuer: over HTTPS, for a short time, and for no more than a document of its kind can be.

Redirects are not followed: an issuer says itself where its keys are, and whoever can make it redirect must not say
another place. This machine may be asked over plain HTTP, for development.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
from pydantic_core import from_json

from mcp_server.guards.authority import is_loopback
from mcp_server.protocol.messages import is_object

PATIENCE: Final = 5.0
"""How many seconds an issuer may take for a whole answer."""
MOST_BYTES: Final = 256 * 1024

_HTTP_OK: Final = 200
_HEADERS: Final = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "mcp-server"}
_LIMITS: Final = httpx2.Limits(max_connections=20, max_keepalive_connections=5, keepalive_expiry=30.0)


class FetchFailed(Exception):  # noqa: N818 - it is what has happened
    """The document cannot be had; the text says why, for the log."""


@dataclass(frozen=True, slots=True)
class Document:
    """What was answered, and for how many seconds it may be kept, if that was said."""

    content: dict[str, Any]
    max_age: float | None = None


class Fetcher:
    """Fetches JSON objects, over one pool of connections, opened at the first question."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._pool: tuple[asyncio.AbstractEventLoop, httpx2.AsyncClient] | None = None

    async def get(self, url: str) -> Document:
        """A document; raises `FetchFailed`."""
        return await self._ask("GET", url)

    async def post(self, url: str, form: Mapping[str, str], identity: tuple[str, str]) -> Document:
        """The answer to a form, sent under a name and with its secret; raises `FetchFailed`."""
        return await self._ask("POST", url, data=dict(form), auth=httpx2.BasicAuth(*identity))

    async def close(self) -> None:
        """Let the connections go; the next question opens new ones."""
        pool, self._pool = self._pool, None
        if pool is not None and pool[0] is asyncio.get_running_loop():
            await pool[1].aclose()

    async def _ask(self, method: str, url: str, **sent: Any) -> Document:
        if not may_be_asked(url):
            raise FetchFailed("an address that does not begin with https://")
        try:
            async with asyncio.timeout(self._patience):
                async with self._client().stream(method, url, **sent) as response:
                    if response.status_code != _HTTP_OK:
                        raise FetchFailed(f"HTTP status {response.status_code}")
                    content = _object(await _body(response))
                    return Document(content, _max_age(response.headers))
        except TimeoutError:
            raise FetchFailed("no answer in time") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise FetchFailed(type(error).__name__) from error

    def _client(self) -> httpx2.AsyncClient:
        loop = asyncio.get_running_loop()
        if self._pool is None or self._pool[0] is not loop:
            client = httpx2.AsyncClient(
                headers=_HEADERS, follow_redirects=False, timeout=self._patience, limits=_LIMITS
            )
            self._pool = (loop, client)
        return self._pool[1]


def may_be_asked(url: str) -> bool:
    """Whether an address is one that nobody can listen in on or answer for."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))


async def _body(response: httpx2.Response) -> bytes:
    body = b""
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > MOST_BYTES:
            raise FetchFailed("an answer that is too large")
    return body


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = from_json(body, allow_inf_nan=False)
    except ValueError:
        raise FetchFailed("an answer that is not JSON") from None
    if not is_object(found):
        raise FetchFailed("an answer that is no JSON object")
    return found


def _max_age(headers: Mapping[str, str]) -> float | None:
    """For how long an answer is fresh (RFC 9111); None if it does not say."""
    for directive in headers.get("cache-control", "").lower().split(","):
        name, _, value = directive.strip().partition("=")
        if name in {"no-store", "no-cache"}:
            return 0.0
        if name == "max-age" and value.strip('"').isdecimal() and len(value) <= 12:  # noqa: PLR2004 - more is no age
            return float(value.strip('"'))
    try:
        return max(0.0, parsedate_to_datetime(headers["expires"]).timestamp() - time.time())
    except (KeyError, ValueError):
        return None
