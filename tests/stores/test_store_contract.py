"""What every store promises, asked of all four."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from mcp_server.stores import Record, Store, StoreUnavailable
from mcp_server.stores.rules import LONGEST, LONGEST_KIND
from tests.store_backends import Backend

ODD = (
    "'; DROP TABLE records; --",
    '"',
    "\\",
    "%_*?[a]",
    "a:b",
    "a%3Ab",
    "line\r\nbreak\n",
    " ",
    "\t",
    "\x01\x7f\x1f",
    "żółć",
    "é",  # composed
    "e\u0301",  # the same to the eye, another key
    "日本語",
    "😀",
    "\uffff",
    "\u202e",
    "k" * LONGEST,
    "😀" * (LONGEST // 4),
)


def test_what_was_put_is_found_until_it_is_deleted(any_store: Backend) -> None:
    async def test(store: Store) -> None:
        assert await store.get("kind", "a") is None
        await store.put("kind", "a", b"1", lifetime=None, owner="ann")
        assert await store.get("kind", "a") == Record("a", b"1", "ann", None)
        await store.put("kind", "a", b"2", lifetime=None)
        assert await store.get("kind", "a") == Record("a", b"2", "", None)
        assert await store.delete("kind", "a") is True
        assert await store.delete("kind", "a") is False
        assert await store.get("kind", "a") is None

    any_store.run(test)


def test_kinds_are_apart(any_store: Backend) -> None:
    async def test(store: Store) -> None:
        await store.put("a", "b:c", b"1", lifetime=None, owner="x:y")
        await store.put("a:b", "c", b"2", lifetime=None, owner="y")
        await store.put("a%3Ab", "c", b"3", lifetime=None, owner="y")
        assert [await store.get("a", "b:c"), await store.get("a:b", "c"), await store.get("a%3Ab", "c")] == [
            Record("b:c", b"1", "x:y"),
            Record("c", b"2", "y"),
            Record("c", b"3", "y"),
        ]
        assert await store.delete("a:b", "c")
        assert [len(await store.find(kind)) for kind in ("a", "a:b", "a%3Ab")] == [1, 0, 1]

    any_store.run(test)


def test_adding_succeeds_once(any_store: Backend) -> None:
    async def test(store: Store) -> None:
        assert await store.add("kind", "a", b"1", lifetime=None, owner="ann") is True
        assert await store.add("kind", "a", b"2", lifetime=None, owner="bob") is False
        assert await store.get("kind", "a") == Record("a", b"1", "ann", None)

    any_store.run(test)


def test_taking_gives_a_record_once(any_store: Backend) -> None:
    async def test(store: Store) -> None:
        await store.put("kind", "a", b"1", lifetime=None, owner="ann")
        assert await store.take("kind", "a") == Record("a", b"1", "ann", None)
        assert await store.take("kind", "a") is None
        assert list(await store.find("kind")) == []

    any_store.run(test)


def test_a_swap_needs_the_value_that_is_there_and_keeps_the_owner(any_store: Backend) -> None:
    async def test(store: Store) -> None:
        assert await store.swap("kind", "a", b"", b"1", lifetime=None) is False
        await store.put("kind", "a", b"1", lifetime=900, owner="ann")
        assert await store.swap("kind", "a", b"2", b"3", lifetime=None) is False
        assert await store.swap("kind", "a", b"1", b"3", lifetime=None) is True
        assert await store.get("kind", "a") == Record("a", b"3", "ann", None)
        assert await store.swap("kind", "a", b"3", b"4", lifetime=900) is True
        record = await store.get("kind", "a")
        assert record is not None
        assert record.expires is not None
        assert [found.key for found in await store.find("kind", owner="ann")] == ["a"]

    any_store.run(test)


# -- many at once ----------------------------------------------------------------------------------------------------


def test_of_many_adders_one_succeeds(any_store: Backend) -> None:
    async def test(store: Store) -> None:
        for key in "abc":
            adding = (store.add("kind", key, str(number).encode(), lifetime=None) for number in range(40))
            done = await asyncio.gather(*adding)
            assert sum(done) == 1
            record = await store.get("kind", key)
            assert record is not None
            assert done[int(record.value)]

    any_store.run(test)


def test_of_many_takers_one_gets_it(any_store: Backend) -> None:
    async def test(store: Store) -> None:
        for key in "abc":
            await store.put("kind", key, b"1", lifetime=None)
            taken = await asyncio.gather(*(store.take("kind", key) for _ in range(40)))
            assert [record for record in taken if record] == [Record(key, b"1")]

    any_store.run(test)


def test_of_many_swappers_one_succeeds(any_store: Backend) -> None:
    async def test(store: Store) -> None:
        await store.put("kind", "a", b"before", lifetime=None)
        swapping = (store.swap("kind", "a", b"before", str(number).encode(), lifetime=None) for number in range(40))
        done = await asyncio.gather(*swapping)
        record = await store.get("kind", "a")
        assert record is not None
        assert [number for number, swapped in enumerate(done) if swapped] == [int(record.value)]

    any_store.run(test)


def test_of_many_adders_to_an_expired_record_one_succeeds(any_store: Backend) -> None:
    async def test(store: Store) -> None:
        await store.put("kind", "a", b"old", lifetime=0.2)
        await any_store.outlive(store, "kind", "a")
        assert sum(await asyncio.gather(*(store.add("kind", "a", b"new", lifetime=None) for _ in range(20)))) == 1

    any_store.run(test)


# -- expiry ----------------------------------------------------------------------------------------------------------


def test_an_expired_record_does_not_exist(any_store: Backend) -> None:
    async def test(store: Store) -> None:
        await store.put("kind", "a", b"1", lifetime=0.2, owner="ann")
        await store.put("kind", "b", b"1", lifetime=None, owner="ann")
        await any_store.outlive(store, "kind", "a")
        assert await store.take("kind", "a") is None
        assert await store.swap("kind", "a", b"1", b"2", lifetime=None) is False
        assert await store.delete("kind", "a") is False
        assert [record.key for record in await store.find("kind")] == ["b"]
        assert [record.key for record in await store.find("kind", owner="ann")] == ["b"]
        assert await store.add("kind", "a", b"3", lifetime=None) is True
        assert await store.get("kind", "a") == Record("a", b"3", "", None)

    any_store.run(test)


def test_a_lifetime_that_is_over_at_once_leaves_nothing(any_store: Backend) -> None:
    async def test(store: Store) -> None:
        for lifetime in (0, -5.0):
            await store.put("kind", "a", b"1", lifetime=None, owner="ann")
            await store.put("kind", "a", b"2", lifetime=lifetime, owner="ann")
            assert await store.get("kind", "a") is None
            assert list(await store.find("kind", owner="ann")) == []
        assert await store.add("kind", "a", b"3", lifetime=None) is True

    any_store.run(test)


def test_the_end_of_a_record_is_the_lifetime_from_now(any_store: Backend) -> None:
    async def test(store: Store) -> None:
        await store.put("kind", "long", b"", lifetime=5000)
        await store.put("kind", "short", b"", lifetime=1000)
        long, short = await store.get("kind", "long"), await store.get("kind", "short")
        assert long is not None
        assert short is not None
        assert long.expires is not None
        assert short.expires is not None
        assert long.expires - short.expires == pytest.approx(4000, abs=60)

    any_store.run(test)


def test_a_record_can_be_made_to_last(any_store: Backend) -> None:
    async def test(store: Store) -> None:
        for key in ("put", "swapped", "gone"):
            await store.put("kind", key, b"1", lifetime=0.5, owner="ann")
        await store.put("kind", "put", b"2", lifetime=None, owner="ann")
        if not await store.swap("kind", "swapped", b"1", b"2", lifetime=None):  # this machine was asleep
            await store.put("kind", "swapped", b"2", lifetime=None, owner="ann")
        await any_store.outlive(store, "kind", "gone")
        await store.sweep()
        assert [(record.key, record.value) for record in await store.find("kind", owner="ann")] == [
            ("put", b"2"),
            ("swapped", b"2"),
        ]

    any_store.run(test)


@pytest.mark.parametrize("lifetime", [float("nan"), float("inf"), float("-inf"), 1e300])
def test_a_lifetime_that_is_none_is_refused(any_store: Backend, lifetime: float) -> None:
    async def test(store: Store) -> None:
        await store.put("kind", "a", b"1", lifetime=None)
        with pytest.raises(ValueError, match="number of seconds"):
            await store.put("kind", "a", b"1", lifetime=lifetime)
        with pytest.raises(ValueError, match="number of seconds"):
            await store.add("kind", "b", b"1", lifetime=lifetime)
        with pytest.raises(ValueError, match="number of seconds"):
            await store.swap("kind", "a", b"1", b"2", lifetime=lifetime)

    any_store.run(test)


# -- looking for records ---------------------------------------------------------------------------------------------


async def _pages(store: Store, owner: str | None, limit: int) -> list[list[str]]:
    pages: list[list[str]] = []
    after = ""
    while page := [record.key for record in await store.find("kind", owner=owner, after=after, limit=limit)]:
        pages.append(page)
        after = page[-1]
    return pages


def _all(pages: list[list[str]]) -> list[str]:
    return [key for page in pages for key in page]


def test_pages_hold_everything_once_in_the_order_of_code_points(any_store: Backend) -> None:
    keys = ["Z", "a", "é", "aa", "a b", "😀", "\uffff", "10", "9", "-", "ab"]

    async def test(store: Store) -> None:
        for key in keys:
            await store.put("kind", key, key.encode(), lifetime=None, owner="ann" if key < "b" else "bob")
        assert _all(await _pages(store, None, 3)) == sorted(keys)
        assert [len(page) for page in await _pages(store, None, 3)] == [3, 3, 3, 2]
        assert _all(await _pages(store, "ann", 2)) == sorted(key for key in keys if key < "b")
        assert _all(await _pages(store, "bob", 100)) == sorted(key for key in keys if key >= "b")
        assert await _pages(store, "", 100) == await _pages(store, "nobody", 100) == []
        assert list(await store.find("kind", limit=0)) == list(await store.find("kind", limit=-1)) == []

    any_store.run(test)


def test_a_page_is_full_although_others_have_expired(any_store: Backend) -> None:
    async def test(store: Store) -> None:
        for number in range(8):
            await store.put("kind", f"gone{number}", b"", lifetime=0.2, owner="ann")
        for number in range(3):
            await store.put("kind", f"here{number}", b"", lifetime=None, owner="ann")
        for number in range(8):
            await any_store.outlive(store, "kind", f"gone{number}")
        assert [record.key for record in await store.find("kind", owner="ann", limit=2)] == ["here0", "here1"]

    any_store.run(test)


def test_a_record_belongs_to_whom_it_was_given_last(any_store: Backend) -> None:
    async def test(store: Store) -> None:
        await store.put("kind", "a", b"1", lifetime=0.2, owner="ann")
        await store.put("kind", "b", b"1", lifetime=None, owner="ann")
        await any_store.outlive(store, "kind", "a")
        for key in "ab":
            await store.put("kind", key, b"2", lifetime=None, owner="bob")

        async def check() -> None:
            assert list(await store.find("kind", owner="ann")) == []
            assert [record.key for record in await store.find("kind", owner="bob")] == ["a", "b"]

        await check()
        await store.sweep()
        await check()
        assert list(await store.find("kind", owner="")) == []

    any_store.run(test)


def test_owners_are_told_apart_by_every_character(any_store: Backend) -> None:
    async def test(store: Store) -> None:
        for number, owner in enumerate(ODD):
            await store.put("kind", f"{number:02}", owner.encode(), lifetime=None, owner=owner)
        await store.put("kind", "of nobody", b"", lifetime=None)
        for number, owner in enumerate(ODD):
            expected = [Record(f"{number:02}", owner.encode(), owner, None)]
            assert list(await store.find("kind", owner=owner)) == expected
        assert [record.key for record in await store.find("kind", owner="")] == ["of nobody"]

    any_store.run(test)


# -- odd keys and large values ---------------------------------------------------------------------------------------


def test_keys_are_told_apart_by_every_character(any_store: Backend) -> None:
    async def test(store: Store) -> None:
        for key in ODD:
            assert await store.add("kind", key, key.encode(), lifetime=500) is True
        for key in ODD:
            record = await store.get("kind", key)
            assert record is not None
            assert (record.key, record.value) == (key, key.encode())
        found: Sequence[Record] = await store.find("kind", limit=500)
        assert [record.key for record in found] == sorted(ODD)
        for key in ODD:
            assert await store.take("kind", key) is not None
        assert list(await store.find("kind")) == []

    any_store.run(test)


@pytest.mark.parametrize("bad", ["", "a\0b", "\ud800", "k" * (LONGEST + 1), "😀" * (LONGEST // 4 + 1)])
def test_keys_that_one_store_cannot_keep_are_refused_by_all(any_store: Backend, bad: str) -> None:
    async def test(store: Store) -> None:
        for asked in (
            store.put("kind", bad, b"", lifetime=None),
            store.add("kind", bad, b"", lifetime=None),
            store.get("kind", bad),
            store.take("kind", bad),
            store.swap("kind", bad, b"", b"", lifetime=None),
            store.delete("kind", bad),
        ):
            with pytest.raises(ValueError, match="The key of a record"):
                await asked
        if bad:
            with pytest.raises(ValueError, match="The owner of a record"):
                await store.put("kind", "key", b"", lifetime=None, owner=bad)
            with pytest.raises(ValueError, match="The owner of a record"):
                await store.find("kind", owner=bad)
            with pytest.raises(ValueError, match="The key of a record"):
                await store.find("kind", after=bad)
        for kind in (bad, "k" * (LONGEST_KIND + 1)):
            with pytest.raises(ValueError, match="The kind of a record"):
                await store.find(kind)

    any_store.run(test)


def test_values_are_any_bytes_up_to_a_mebibyte_and_more(any_store: Backend) -> None:
    values = (b"", bytes(range(256)), b"\0", bytes(range(256)) * 4096, b"x" * (3 * 1024 * 1024))

    async def test(store: Store) -> None:
        for value in values:
            await store.put("kind", "a", value, lifetime=None)
            assert await store.get("kind", "a") == Record("a", value)
            assert await store.swap("kind", "a", value, b"!" + value, lifetime=None) is True
            assert await store.take("kind", "a") == Record("a", b"!" + value)

    any_store.run(test)


# -- sweeping --------------------------------------------------------------------------------------------------------


def test_a_sweep_removes_what_has_expired_and_nothing_else(any_store: Backend) -> None:
    many = 1100  # more than any store removes in one go

    async def test(store: Store) -> None:
        for start in range(0, many, 100):
            batch = range(start, start + 100)
            await asyncio.gather(*(store.put("kind", f"a{n:05}", b"", lifetime=0.2, owner="ann") for n in batch))
        await store.put("kind", "stays", b"", lifetime=10_000_000, owner="ann")
        await store.put("other", "stays", b"", lifetime=None)
        await any_store.outlive(store, "kind", f"a{many - 1:05}")
        assert await store.sweep() == many
        assert await store.sweep() == 0
        assert [record.key for record in await store.find("kind", owner="ann")] == ["stays"]
        assert [record.key for record in await store.find("other")] == ["stays"]

    any_store.run(test)


# -- opening and closing ---------------------------------------------------------------------------------------------


def test_opening_and_closing_twice_is_as_good_as_once(any_store: Backend) -> None:
    async def main() -> None:
        store = any_store.new()
        await store.close()
        await asyncio.gather(store.open(), store.open())
        await store.open()
        await store.put("kind", "a", b"1", lifetime=None)
        await store.close()
        await store.close()
        await store.open()
        assert await store.get("kind", "a") == Record("a", b"1")
        await store.close()

    asyncio.run(main())


def test_a_store_that_is_not_open_is_unavailable(any_store: Backend) -> None:
    async def main() -> None:
        store = any_store.new()
        for _ in range(2):
            for asked in (
                store.put("kind", "a", b"", lifetime=None),
                store.add("kind", "a", b"", lifetime=None),
                store.get("kind", "a"),
                store.take("kind", "a"),
                store.swap("kind", "a", b"", b"", lifetime=None),
                store.delete("kind", "a"),
                store.find("kind"),
                store.sweep(),
            ):
                with pytest.raises(StoreUnavailable, match="open"):
                    await asked
            await store.open()
            await store.close()

    asyncio.run(main())


# -- cancellation ----------------------------------------------------------------------------------------------------


def test_a_cancelled_operation_leaves_the_store_whole(any_store: Backend) -> None:
    """Cancelled at every moment, an operation has happened or has not, and answers never go to somebody else."""

    async def test(store: Store) -> None:
        for number in range(60):
            key = str(number)
            tasks = [
                asyncio.create_task(store.put("kind", key, key.encode(), lifetime=None)),
                asyncio.create_task(store.get("kind", "other")),
                asyncio.create_task(store.take("kind", "other")),
            ]
            for _ in range(number % 12):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await store.put("check", key, key.encode(), lifetime=None)
            assert await store.get("check", key) == Record(key, key.encode())
        for record in await store.find("kind"):
            assert record.value == record.key.encode()
        assert len(await store.find("check")) == 60

    any_store.run(test)
