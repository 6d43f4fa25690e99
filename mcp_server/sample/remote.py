"""The catalogue of another service, over HTTP; the only module of the sample that knows httpx2.

Must not know where its settings come from, nor anything about whoever asks: a request carries the operator's own key
and nothing of the caller but the query, the limit, the cursor or the id.

What the service must offer, below its base URL, answered as JSON in the shapes of `catalog.py`:

    GET items?query=&limit=&cursor=    200 Page · 400 if the cursor is not one of its own
    GET items/{id}                     200 Item · 404 if there is none

Whatever else it does becomes an error that can be shown to the caller. The time limit covers the whole of a question,
waiting for a connection and reading the body included. Redirects are not followed, cookies are not kept, and no more
of an answer is read than an answer may hold.
"""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from threading import Lock
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote, urlencode

import httpx2
from pydantic import ValidationError

from mcp_server.sample.catalog import (
    DEFAULT_LIMIT,
    MAX_ID_LENGTH,
    BadCursor,
    CatalogMisconfigured,
    CatalogUnavailable,
    Item,
    ItemNotFound,
    Page,
    check_bounds,
)

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

MAX_TIMEOUT: Final = 10.0
MAX_ANSWER_BYTES: Final = 1024 * 1024

_LIMITS: Final = httpx2.Limits(max_connections=50, max_keepalive_connections=10, keepalive_expiry=30.0)
_BROKEN_CONNECTION: Final = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_DOT_SEGMENT: Final = re.compile(r"(^|[/\\])\.\.?([/\\]|$)")

_UNEXPECTED: Final = "The catalogue service answered something unexpected."
_TOO_SLOW: Final = "The catalogue service took too long to answer."
_UNREACHABLE: Final = "The catalogue service cannot be reached."
_REFUSALS: Final = {
    401: "The catalogue service does not accept this server's key.",
    403: "The catalogue service does not accept this server's key.",
    404: "The catalogue service has no catalogue at the configured address.",
    429: "The catalogue service is receiving too many requests. Try again later.",
}
_FAILING: Final = "The catalogue service is failing. Try again later."

_Answer = TypeVar("_Answer", Item, Page)


class RemoteCatalog:
    """Asks the service at `base_url`, over one pool of connections for each event loop, opened at the first question.

    Raises `CatalogMisconfigured` if the address or the key cannot be right.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        header: str = "Authorization",
        scheme: str = "Bearer",
        timeout: float = MAX_TIMEOUT,
    ) -> None:
        if not 0 < timeout <= MAX_TIMEOUT:
            raise CatalogMisconfigured(f"The time limit must be above 0 and at most {MAX_TIMEOUT:g} seconds.")
        self._items_url = f"{_checked_base(base_url)}/items"
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "mcp-server",
            **_key_header(api_key, header, scheme),
        }
        self._timeout = timeout
        self._pools: dict[AbstractEventLoop, httpx2.AsyncClient] = {}
        self._lock = Lock()

    async def search(self, query: str, limit: int = DEFAULT_LIMIT, cursor: str | None = None) -> Page:
        """The page that `cursor` points at; raises as `Catalog.search` says."""
        check_bounds(query, limit, cursor)
        parameters = {"query": query, "limit": limit} | ({} if cursor is None else {"cursor": cursor})
        status, body = await self._ask(f"{self._items_url}?{urlencode(parameters, errors='replace')}")
        if status == HTTPStatus.BAD_REQUEST and cursor is not None:
            raise BadCursor
        page = _parsed(Page, status, body)
        if len(page.items) > limit:
            raise CatalogUnavailable(_UNEXPECTED, detail=f"{len(page.items)} items for a limit of {limit}")
        return page

    async def get(self, item_id: str) -> Item:
        """The item with exactly this id; raises `ItemNotFound` or `CatalogUnavailable`."""
        if not 0 < len(item_id) <= MAX_ID_LENGTH or _DOT_SEGMENT.search(item_id):
            raise ItemNotFound  # dots cannot be escaped, and proxies resolve them, behind an escaped slash too
        status, body = await self._ask(f"{self._items_url}/{quote(item_id, safe='', errors='replace')}")
        if status == HTTPStatus.NOT_FOUND:
            raise ItemNotFound
        item = _parsed(Item, status, body)
        if item.id != item_id:
            raise CatalogUnavailable(_UNEXPECTED, detail="The answer is about another item")
        return item

    async def aclose(self) -> None:
        """Close the connections of this event loop; the next question opens new ones."""
        with self._lock:
            pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.aclose()

    async def _ask(self, url: str) -> tuple[int, bytes]:
        try:
            async with asyncio.timeout(self._timeout):
                try:
                    return await self._exchange(url)
                except _BROKEN_CONNECTION:
                    # A connection that the other side closed while it lay in the pool, or while we were frozen, is
                    # noticed only in use. A GET may be repeated.
                    return await self._exchange(url)
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise CatalogUnavailable(_TOO_SLOW) from error
        except httpx2.HTTPError as error:
            raise CatalogUnavailable(_UNREACHABLE) from error

    async def _exchange(self, url: str) -> tuple[int, bytes]:
        pool = await self._pool()
        async with pool.stream("GET", url) as response:
            if not response.is_success:
                return response.status_code, b""
            if response.headers.get("Content-Encoding", "identity") != "identity":
                raise CatalogUnavailable(_UNEXPECTED, detail="A compressed answer, though none was accepted")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise CatalogUnavailable(_UNEXPECTED, detail=f"More than {MAX_ANSWER_BYTES} bytes")
            return response.status_code, bytes(body)

    async def _pool(self) -> httpx2.AsyncClient:
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is not None:
            return pool
        return await asyncio.to_thread(self._opened_for, loop)  # reading the certificates takes some 30 ms

    def _opened_for(self, loop: AbstractEventLoop) -> httpx2.AsyncClient:
        with self._lock:
            if loop not in self._pools:
                alive = {known: pool for known, pool in self._pools.items() if not known.is_closed()}
                self._pools = {**alive, loop: self._new_pool()}
            return self._pools[loop]

    def _new_pool(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            headers=self._headers,
            timeout=self._timeout,
            limits=_LIMITS,
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),  # callers share the pool, not a session
        )


def _parsed(answer: type[_Answer], status: int, body: bytes) -> _Answer:
    if status != HTTPStatus.OK:
        failing = _FAILING if status >= HTTPStatus.INTERNAL_SERVER_ERROR else _UNEXPECTED
        raise CatalogUnavailable(_REFUSALS.get(status, failing), detail=f"HTTP status {status}")
    try:
        return answer.model_validate_json(body)
    except ValidationError as error:
        raise CatalogUnavailable(_UNEXPECTED) from error


def _checked_base(base_url: str) -> str:
    try:
        url = httpx2.URL(base_url)
    except httpx2.InvalidURL:
        raise CatalogMisconfigured("API_BASE_URL is not a URL.") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise CatalogMisconfigured("API_BASE_URL must begin with http:// or https:// and name a host.")
    if url.port is not None and not 0 < url.port < 2**16:
        raise CatalogMisconfigured("API_BASE_URL names a port that does not exist.")
    if url.userinfo:
        raise CatalogMisconfigured("API_BASE_URL must not hold a password; the key belongs in API_KEY.")
    if url.query or url.fragment:
        raise CatalogMisconfigured("API_BASE_URL must not have a query or a fragment.")
    return str(url).rstrip("/")


def _key_header(api_key: str | None, header: str, scheme: str) -> dict[str, str]:
    key = (api_key or "").strip()
    if not key:
        return {}
    if not (key.isascii() and key.isprintable() and scheme.isascii() and scheme.isprintable()):
        raise CatalogMisconfigured("API_KEY holds characters that a header cannot carry.")
    if not _HEADER_NAME.fullmatch(header):
        raise CatalogMisconfigured("API_KEY_HEADER is not the name of a header.")
    if scheme and not key.lower().startswith(f"{scheme.lower()} "):
        key = f"{scheme} {key}"
    return {header: key}
