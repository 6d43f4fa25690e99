"""What is kept of streams for those who come back, and how much of it."""

from __future__ import annotations

import asyncio

import pytest

from mcp_server.transports.journals import KEPT_AFTER_END, MAX_ALL, MAX_JOURNAL, Journal, Journals


async def read(journal: Journal, place: int = 0) -> list[bytes]:
    """Everything behind a place, until the stream ends."""
    async with asyncio.timeout(60):
        return [data async for _, data in journal.after(place)]


def test_what_comes_while_a_reader_is_slow_is_not_missed() -> None:
    async def main() -> None:
        journal = Journals().open("s", primed=False)
        journal.keep(b"1", last=False)
        reader = journal.after(0)
        assert (await anext(reader))[1] == b"1"
        journal.keep(b"2", last=True)
        async with asyncio.timeout(60):
            assert [data async for _, data in reader] == [b"2"]

    asyncio.run(main())


def test_several_readers_get_everything() -> None:
    async def main() -> None:
        journal = Journals().open("s", primed=False)
        readers = [asyncio.create_task(read(journal)) for _ in range(3)]
        for number in range(5):
            await asyncio.sleep(0)
            journal.keep(str(number).encode(), last=number == 4)
        for reader in readers:
            assert await reader == [b"0", b"1", b"2", b"3", b"4"]

    asyncio.run(main())


def test_a_stream_that_has_ended_can_still_be_read() -> None:
    async def main() -> None:
        journal = Journals().open("s", primed=False)
        for number in range(3):
            journal.keep(str(number).encode(), last=False)
        journal.end()
        assert await read(journal, 1) == [b"1", b"2"]
        assert await read(journal, 3) == []
        assert await read(journal, 99) == []

    asyncio.run(main())


@pytest.mark.parametrize("event_id", ["", "x", "-", "x-1", "{stream}", "{stream}-", "{stream}-x", "{stream}-²", "-1"])
def test_an_id_that_is_none_is_found_nowhere(event_id: str) -> None:
    journals = Journals()
    journal = journals.open("s", primed=False)
    assert journals.find("s", event_id.format(stream=journal.stream)) is None


def test_a_journal_belongs_to_its_session() -> None:
    journals = Journals()
    journal = journals.open("mine", primed=False)
    event_id = journal.keep(b"x", last=False)
    assert journals.find("mine", event_id) == (journal, 1)
    assert journals.find("theirs", event_id) is None


def test_a_journal_keeps_its_newest_megabyte() -> None:
    journal = Journals().open("s", primed=False)
    for _ in range(100):
        journal.keep(b"x" * 100_000, last=False)
        assert journal.size <= MAX_JOURNAL
    journal.keep(b"y", last=True)
    kept = asyncio.run(read(journal))
    assert kept[-1] == b"y"
    assert len(kept) == 11


def test_an_answer_larger_than_a_journal_is_kept_all_the_same() -> None:
    journal = Journals().open("s", primed=False)
    journal.keep(b"x", last=False)
    journal.keep(b"y" * (2 * MAX_JOURNAL), last=True)
    assert [data[:1] for data in asyncio.run(read(journal))] == [b"y"]


def test_all_journals_together_are_bounded_at_every_moment() -> None:
    journals = Journals()
    opened = [journals.open(f"s{number}", primed=False) for number in range(100)]
    for journal in opened:
        journal.keep(b"x" * (MAX_JOURNAL - 5000), last=False)
        found = [each for each in opened if journals.find(each.session, f"{each.stream}-0")]
        assert sum(each.size for each in found) <= MAX_ALL
    assert journals.find("s99", f"{opened[99].stream}-1")
    assert journals.find("s0", f"{opened[0].stream}-1") is None
    # One that is forgotten may still be written to, and counts no more.
    opened[0].keep(b"x" * MAX_JOURNAL, last=True)
    assert journals.find("s99", f"{opened[99].stream}-1")


def test_many_journals_of_nothing_are_bounded_too() -> None:
    journals = Journals()
    opened = [journals.open("s", primed=False) for _ in range(20_000)]
    kept = [each for each in opened if journals.find("s", f"{each.stream}-0")]
    assert len(kept) < 12_000


def test_a_journal_goes_a_minute_after_its_stream_has_ended() -> None:
    now = 1000.0
    journals = Journals(lambda: now)
    ended, lasting = journals.open("s", primed=False), journals.open("s", primed=False)
    ended.keep(b"x", last=True)
    now += KEPT_AFTER_END - 1
    journals.open("s", primed=False)
    assert journals.find("s", f"{ended.stream}-1")
    now += 2
    journals.open("s", primed=False)
    assert journals.find("s", f"{ended.stream}-1") is None
    assert journals.find("s", f"{lasting.stream}-1")


def test_the_opening_of_a_primed_stream_is_a_place_to_come_back_to() -> None:
    journals = Journals()
    primed, plain = journals.open("s", primed=True), journals.open("s", primed=False)
    assert primed.opening() == f"id: {primed.stream}-0\nretry: 1000\ndata:\n\n".encode()
    assert plain.opening() == b""
