"""Records in Redis: for several machines, where what is lost when Redis loses its memory can be lost.

Every change is one Lua script, which Redis runs without anything in between. Time is that of Redis, so processes whose
clocks differ agree on what has expired. Redis removes expired records itself; the entries that stand for them in the
indexes are removed by `sweep`, so a Redis that evicts nothing does not grow.

All names begin with a prefix in braces, which puts them into one slot of a cluster:

    {mcp-server}:record:<kind>:<key>     hash of value, owner and end (milliseconds)
    {mcp-server}:kind:<kind>             the keys of that kind, in their order
    {mcp-server}:owner:<kind>:<owner>    those which are one owner's
    {mcp-server}:ends                    kind, key and owner of what expires, by when

A script that was sent is never sent again by itself: it may have run, and taking twice would lose what was taken.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from mcp_server.stores.rules import check, check_lifetime, check_search
from mcp_server.stores.store import Record, StoreUnavailable

Outcome = TypeVar("Outcome")

_PORTION: Final = 200
"""How many entries one run of the sweeping script looks at; Redis serves nobody else meanwhile."""

_SHARED: Final = """
local prefix, kind, key = KEYS[1], ARGV[1], ARGV[2]
local record, kinds, ends = prefix .. 'record:' .. kind .. ':' .. key, prefix .. 'kind:' .. kind, prefix .. 'ends'

local function owners(owner)
    return prefix .. 'owner:' .. kind .. ':' .. owner
end

local function entry(owner)
    return kind .. '\\0' .. key .. '\\0' .. owner
end

local function now()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function forget_owner(owner)
    redis.call('ZREM', owners(owner), key)
    redis.call('ZREM', ends, entry(owner))
end

local function remove(owner)
    redis.call('DEL', record)
    redis.call('ZREM', kinds, key)
    forget_owner(owner)
end

-- The first write is one that a full Redis refuses, so that it refuses the script before anything has changed.
local function keep(value, owner, lifetime)
    local before = redis.call('HGET', record, 'owner')
    redis.call('HSET', record, 'value', value, 'owner', owner)
    if before and before ~= owner then
        forget_owner(before)
    end
    if lifetime ~= '' and tonumber(lifetime) <= 0 then
        remove(owner)
        return
    end
    redis.call('ZADD', kinds, 0, key)
    if owner ~= '' then
        redis.call('ZADD', owners(owner), 0, key)
    end
    if lifetime == '' then
        redis.call('HDEL', record, 'end')
        redis.call('PERSIST', record)
    else
        local over = string.format('%.0f', now() + tonumber(lifetime))
        redis.call('HSET', record, 'end', over)
        redis.call('PEXPIREAT', record, over)
        redis.call('ZADD', ends, over, entry(owner))
    end
end
"""

_PUT: Final = f"""{_SHARED}
keep(ARGV[3], ARGV[4], ARGV[5])
return 1
"""
_ADD: Final = f"""{_SHARED}
if redis.call('EXISTS', record) == 1 then
    return 0
end
keep(ARGV[3], ARGV[4], ARGV[5])
return 1
"""
_TAKE: Final = f"""{_SHARED}
local found = redis.call('HMGET', record, 'value', 'owner', 'end')
if found[2] then
    remove(found[2])
end
return found
"""
_SWAP: Final = f"""{_SHARED}
local found = redis.call('HMGET', record, 'value', 'owner')
if found[1] ~= ARGV[3] then
    return 0
end
keep(ARGV[4], found[2], ARGV[5])
return 1
"""
_SWEEP: Final = """
local prefix = KEYS[1]
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local removed = 0
local over = redis.call('ZRANGEBYSCORE', prefix .. 'ends', '-inf', '(' .. now, 'LIMIT', 0, ARGV[1])
for _, entry in ipairs(over) do
    local kind, key, owner = string.match(entry, '^(%Z+)%z(%Z+)%z(%Z*)$')
    local holder = redis.call('HGET', prefix .. 'record:' .. kind .. ':' .. key, 'owner')
    if not holder then
        removed = removed + redis.call('ZREM', prefix .. 'kind:' .. kind, key)
    end
    if holder ~= owner then
        redis.call('ZREM', prefix .. 'owner:' .. kind .. ':' .. owner, key)
    end
    redis.call('ZREM', prefix .. 'ends', entry)
end
return {#over, removed}
"""

_FIELDS: Final = ("value", "owner", "end")


class RedisStore:
    """A `Store` in Redis.

    Args:
        url: `redis://` or `rediss://`.
        prefix: Begins every name, so that several servers can share a Redis.
        patience: How many seconds an operation may wait for Redis.
        connections: How many there may be at once; further operations wait for one.

    Raises:
        ValueError: Nothing can be done with the URL.
    """

    def __init__(self, url: str, *, prefix: str = "mcp-server", patience: float = 5.0, connections: int = 20) -> None:
        self._prefix = f"{{{prefix}}}:".encode()
        self._client = client_of(url, patience=patience, connections=connections)
        self._open = False
        self._put = self._client.register_script(_PUT)
        self._add = self._client.register_script(_ADD)
        self._take = self._client.register_script(_TAKE)
        self._swap = self._client.register_script(_SWAP)
        self._sweep = self._client.register_script(_SWEEP)

    async def open(self) -> None:
        """Connect."""
        with _reporting():
            await self._client.ping()
        self._open = True

    async def close(self) -> None:
        """Let go of the connections."""
        self._open = False
        with _reporting():
            await self._client.aclose(close_connection_pool=True)

    async def put(self, kind: str, key: str, value: bytes, *, lifetime: float | None, owner: str = "") -> None:
        """Store a record, whether or not there is one already."""
        check(kind, key, owner)
        await self._run(self._put, kind, key, value, owner, _milliseconds(lifetime))

    async def add(self, kind: str, key: str, value: bytes, *, lifetime: float | None, owner: str = "") -> bool:
        """Store a record if there is none."""
        check(kind, key, owner)
        return bool(await self._run(self._add, kind, key, value, owner, _milliseconds(lifetime)))

    async def get(self, kind: str, key: str) -> Record | None:
        """Read a record."""
        check(kind, key)
        return _record(key, await self._asked(lambda: self._client.hmget(self._name_of(kind, key), _FIELDS)))

    async def take(self, kind: str, key: str) -> Record | None:
        """Remove a record and give it."""
        check(kind, key)
        return _record(key, await self._run(self._take, kind, key))

    async def swap(self, kind: str, key: str, before: bytes, after: bytes, *, lifetime: float | None) -> bool:
        """Replace a record's value and lifetime if its value is still `before`."""
        check(kind, key)
        return bool(await self._run(self._swap, kind, key, before, after, _milliseconds(lifetime)))

    async def delete(self, kind: str, key: str) -> bool:
        """Remove a record."""
        return await self.take(kind, key) is not None

    async def find(self, kind: str, *, owner: str | None = None, after: str = "", limit: int = 100) -> Sequence[Record]:
        """Records of a kind, in the order of their keys, from the first key greater than `after`."""
        check_search(kind, owner, after)
        found: list[Record] = []
        while len(found) < limit:
            keys = await self._keys(kind, owner, after, limit - len(found))
            if not keys:
                break
            after = keys[-1]
            records = await self._records(kind, keys)
            # The entry of what has expired, or was given to somebody else since, stands until it is swept.
            found += [record for record in records if owner is None or record.owner == owner]
        return found

    async def sweep(self) -> int:
        """Remove what stands in the indexes for expired records, a portion in each script."""
        removed, seen = 0, _PORTION
        while seen == _PORTION:
            seen, portion = await self._asked(lambda: self._sweep([self._prefix], [_PORTION]))
            removed += portion
        return removed

    async def _keys(self, kind: str, owner: str | None, after: str, limit: int) -> list[str]:
        index = b"kind:" + _kind(kind) if not owner else b"owner:" + _kind(kind) + b":" + owner.encode()
        least = b"(" + after.encode() if after else b"-"
        found: list[bytes] = await self._asked(
            lambda: self._client.zrange(self._prefix + index, least, b"+", bylex=True, offset=0, num=limit)
        )
        return [key.decode() for key in found]

    async def _records(self, kind: str, keys: Sequence[str]) -> list[Record]:
        async def read() -> list[Any]:
            async with self._client.pipeline(transaction=False) as pipeline:
                for key in keys:
                    pipeline.hmget(self._name_of(kind, key), _FIELDS)
                return await pipeline.execute()

        found = await self._asked(read)
        records = (_record(key, fields) for key, fields in zip(keys, found, strict=True))
        return [record for record in records if record is not None]

    async def _run(self, script: Callable[..., Awaitable[Any]], kind: str, *arguments: str | bytes) -> Any:
        return await self._asked(lambda: script([self._prefix], [_kind(kind), *arguments]))

    async def _asked(self, question: Callable[[], Awaitable[Outcome]]) -> Outcome:
        if not self._open:
            msg = "The store in Redis is not open; call open() first."
            raise StoreUnavailable(msg)
        with _reporting():
            return await question()

    def _name_of(self, kind: str, key: str) -> bytes:
        return self._prefix + b"record:" + _kind(kind) + b":" + key.encode()


def client_of(url: str, *, patience: float, connections: int) -> Any:
    """A client that repeats nothing by itself and waits no longer than it is told; its types are not those it has.

    Raises:
        ValueError: Nothing can be done with the URL; the words do not quote it, as it may hold a password.
    """
    try:
        pool = cast("Any", BlockingConnectionPool).from_url(
            url,
            max_connections=connections,
            timeout=patience,
            socket_timeout=patience,
            socket_connect_timeout=patience,
            retry=Retry(NoBackoff(), 0),
            protocol=2,  # in the newer one, the library takes a connection that Redis has ended for one that works
        )
    except (ValueError, TypeError):
        msg = "The URL of a Redis must have the form redis://:PASSWORD@host:6379/0, or rediss:// with TLS."
        raise ValueError(msg) from None
    return Redis(connection_pool=pool)


@contextmanager
def _reporting() -> Generator[None]:
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        # The name of the error only: its text may quote the URL.
        msg = f"Redis cannot be used ({type(error).__name__}); see that it runs, that the URL is right and it has room."
        raise StoreUnavailable(msg) from error


def _kind(kind: str) -> bytes:
    """A kind without colons, so that no two pairs of kind and key have one name."""
    return kind.replace("%", "%25").replace(":", "%3A").encode()


def _milliseconds(lifetime: float | None) -> str:
    check_lifetime(lifetime)
    return "" if lifetime is None else str(round(lifetime * 1000))


def _record(key: str, fields: Sequence[bytes | None]) -> Record | None:
    value, owner, end = fields
    if value is None or owner is None:
        return None
    return Record(key, value, owner.decode(), None if end is None else int(end) / 1000)
