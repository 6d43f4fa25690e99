"""Clients whose id is an https URL, at which they say who they are (client id metadata documents).

Such a document is believed for as long as HTTP says, at least a minute and at most a day; that there is none for half
a minute. Many who ask for one at once have it fetched once, and only a few are fetched at a time. When a document
cannot be had at the moment, the one before is used for the rest of its day.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import httpx2

from mcp_server.guards.authority import is_loopback
from mcp_server.oauth.server.client import Client, described, keys_in
from mcp_server.oauth.server.faults import Fault, unavailable
from mcp_server.oauth.server.metadata import AUTHORIZE
from mcp_server.oauth.server.options import ServerOptions
from mcp_server.oauth.server.reaching import Fetched, NotFetched, Reaching
from mcp_server.observe.cleaning import clean

logger = logging.getLogger("mcp_server.oauth")

_LONGEST_ID: Final = 512
_USUAL: Final = 3600.0
_LEAST: Final = 60.0
_DAY: Final = 86_400.0
_NEGATIVE: Final = 30.0
_KEYS_FOR: Final = 300.0
_MOST: Final = 1000
_AT_ONCE: Final = 8
_QUEUEING: Final = 2.0
"""How many seconds a fetch may wait for its turn; strangers decide how long the others take."""
_PORTS: Final = 1 << 16
_AGE: Final = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?([0-9]{1,10})", re.IGNORECASE)
_FORM: Final = re.compile(
    r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(/[^?#\\\s]*)(?:\?[^#\\\s]*)?"
)


@dataclass(frozen=True, slots=True)
class _Known:
    """What came of the last fetch."""

    client: Client | None
    """None if there is no such client."""
    until: float
    """Until when nobody asks again."""
    fetched: float
    away: bool = False
    """Whether it could not be found out."""


class Documents:
    """Finds clients by their documents.

    Args:
        options: Which documents are accepted.
        reaching: Fetches them.
        clock: What time it is.
    """

    def __init__(self, options: ServerOptions, reaching: Reaching, clock: Callable[[], float]) -> None:
        self._options = options
        self._reaching = reaching
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._keys: OrderedDict[str, tuple[tuple[Mapping[str, Any], ...], float]] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[Client | None]] = {}
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._own = {httpx2.URL(url).host for url in (options.public_url, *options.further_urls)}

    def accepts(self, identity: str) -> bool:
        """Whether a client id is the address of a document that would be looked at."""
        if not self._options.documents or len(identity) > _LONGEST_ID or not identity.isascii():
            return False
        form = _FORM.fullmatch(identity)
        if form is None or not identity.isprintable() or {".", ".."} & set(form[1].split("/")) or form[1] == "/":
            return False
        try:
            url = httpx2.URL(identity)
        except httpx2.InvalidURL:
            return False
        if url.port is not None and not 0 < url.port < _PORTS:
            return False
        # An address here that asks for a document could be asked for one that is here again, and so on.
        if url.path == AUTHORIZE and url.host in self._own:
            return False
        here = self._options.loopback_documents and is_loopback(url.host)
        return (url.scheme == "https" or here) and self._trusts(url.host)

    def _trusts(self, host: str) -> bool:
        return not self._options.document_hosts or any(
            host == trusted or (trusted.startswith("*.") and host.endswith(trusted[1:]))
            for trusted in self._options.document_hosts
        )

    async def find(self, identity: str) -> Client | None:
        """The client that describes itself at this address; None if there is none.

        Raises:
            Fault: It cannot be found out at the moment.
        """
        known = self._known.get(identity)
        if known is not None and self._clock() < known.until:
            self._known.move_to_end(identity)
            if known.away:
                raise unavailable()
            return known.client
        task = self._under_way.get(identity)
        if task is None:
            task = self._under_way[identity] = asyncio.create_task(self._fetch(identity, known))
            task.add_done_callback(lambda done: self._landed(identity, done))
        # Whoever gives up waiting takes nothing away from the others.
        return await asyncio.shield(task)

    async def keys(self, client: Client) -> tuple[Mapping[str, Any], ...]:
        """The keys at the address that a client names for them.

        Raises:
            Fault: There are none, or it cannot be found out at the moment.
        """
        address = client.keys_uri or ""
        kept = self._keys.get(address)
        if kept is not None and self._clock() < kept[1]:
            return kept[0]
        try:
            found = await self._fetched(address)
        except NotFetched as error:
            logger.info("OAUTH the keys of %s were not fetched: %s", clean(client.id), error)
            raise unavailable() from None
        keys = keys_in(found.body)
        self._keys[address] = keys, self._clock() + _KEYS_FOR
        if len(self._keys) > _MOST:
            self._keys.popitem(last=False)
        return keys

    async def _fetched(self, address: str) -> Fetched:
        try:
            async with asyncio.timeout(_QUEUEING):
                await self._places.acquire()
        except TimeoutError:
            raise NotFetched("too many others are being fetched", lasting=False) from None
        try:
            return await self._reaching.fetch(address)
        finally:
            self._places.release()

    async def _fetch(self, identity: str, before: _Known | None) -> Client | None:
        try:
            found = await self._fetched(identity)
            client = _checked(identity, found)
        except NotFetched as error:
            return self._without(identity, before, str(error), lasting=error.lasting)
        except Fault as error:
            return self._without(identity, before, error.says, lasting=True)
        now = self._clock()
        self._keep(identity, _Known(client, now + _freshness(found.cache_control), now))
        return client

    def _without(self, identity: str, before: _Known | None, why: str, *, lasting: bool) -> Client | None:
        now = self._clock()
        logger.info("OAUTH the document of client %s was not accepted: %s", clean(identity), clean(why))
        if not lasting and before is not None and before.client is not None and now < before.fetched + _DAY:
            self._keep(identity, _Known(before.client, now + _NEGATIVE, before.fetched))
            return before.client
        self._keep(identity, _Known(None, now + _NEGATIVE, now, away=not lasting))
        if not lasting:
            raise unavailable()
        return None

    def _keep(self, identity: str, known: _Known) -> None:
        self._known[identity] = known
        self._known.move_to_end(identity)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)

    def _landed(self, identity: str, task: asyncio.Task[Client | None]) -> None:
        del self._under_way[identity]
        if not task.cancelled():
            task.exception()  # it has been heard by those who waited, if there is anybody left


def _checked(identity: str, found: Fetched) -> Client:
    said: Any = found.body
    if not isinstance(said, dict):
        raise Fault("invalid_client_metadata", "The document is not a JSON object.")
    said = cast("dict[str, Any]", said)
    if said.get("client_id") != identity:
        raise Fault("invalid_client_metadata", "The document has another client_id than its address.")
    if "client_secret" in said or "client_secret_expires_at" in said:
        raise Fault("invalid_client_metadata", "The document has a secret in it.")
    client = described(said, identity, "document")
    if not client.name:
        raise Fault("invalid_client_metadata", "The document has no client_name.")
    return client


def _freshness(cache_control: str) -> float:
    said = cache_control.lower()
    if "no-store" in said or "no-cache" in said:
        return _LEAST
    age = _AGE.search(said)
    return min(max(float(age[1]), _LEAST), _DAY) if age else _USUAL
