"""The embedded catalogue over a real SQLite."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_server.sample.catalog import BadCursor, CatalogUnavailable, Item, ItemNotFound, Page
from mcp_server.sample.embedded import EmbeddedCatalog, read_shipped_items

SHIPPED = EmbeddedCatalog()


def search(query: str, limit: int = 10, cursor: str | None = None, catalog: EmbeddedCatalog = SHIPPED) -> Page:
    return asyncio.run(catalog.search(query, limit, cursor))


def names(page: Page) -> list[str]:
    return [item.name for item in page.items]


def every_id(query: str, limit: int, catalog: EmbeddedCatalog = SHIPPED) -> list[str]:
    async def walk() -> list[str]:
        page = await catalog.search(query, limit)
        ids = [item.id for item in page.items]
        while page.next_cursor is not None:
            page = await catalog.search(query, limit, page.next_cursor)
            ids += [item.id for item in page.items]
        return ids

    return asyncio.run(walk())


def small(*named: tuple[str, str, str]) -> EmbeddedCatalog:
    """A catalogue of (id, name, description)."""
    rows: list[dict[str, object]] = [
        {
            "id": item_id,
            "name": name,
            "category": "things",
            "summary": "A thing.",
            "description": description,
            "priceCents": 100,
            "currency": "EUR",
            "inStock": True,
            "tags": [],
        }
        for item_id, name, description in named
    ]
    return EmbeddedCatalog(lambda: json.dumps(rows).encode())


def test_a_search_for_test_finds_test_kits() -> None:
    page = search("test", limit=5)
    assert "Soil Test Kit" in names(page)
    assert page.total > 5


def test_the_whole_name_of_an_item_finds_it_first() -> None:
    items = [Item.model_validate_json(json.dumps(row)) for row in json.loads(read_shipped_items())]
    missed = [item.name for item in items if search(item.name, limit=1).items[0].id != item.id]
    assert missed == []


def test_a_name_counts_for_more_than_the_text() -> None:
    catalog = small(("a", "Lamp", "Goes well with a kettle, a kettle and a kettle."), ("b", "Kettle", "Boils."))
    assert names(search("kettle", catalog=catalog)) == ["Kettle", "Lamp"]


def test_equal_ranks_come_in_the_order_of_their_ids() -> None:
    catalog = small(*((item_id, "Kettle", "Boils.") for item_id in "dbca"))
    assert every_id("kettle", 4, catalog) == ["a", "b", "c", "d"]


def test_the_last_word_may_be_the_beginning_of_a_word() -> None:
    assert names(search("cast-iron skil")) == ["Cast-Iron Skillet, 26 cm"]


def test_a_whole_word_ranks_above_a_beginning() -> None:
    assert names(search("test kit"))[0] == "Soil Test Kit"


def test_only_the_last_word_may_be_a_beginning() -> None:
    catalog = small(("a", "Kettle", "Blue."), ("b", "Saucer", "Blue."))
    assert names(search("kett blue", catalog=catalog)) != ["Kettle"]


def test_every_word_must_match_if_that_finds_anything() -> None:
    catalog = small(("a", "Red kettle", "."), ("b", "Blue kettle", "."), ("c", "Blue cup", "."))
    assert names(search("blue kettle", catalog=catalog)) == ["Blue kettle"]


def test_any_word_will_do_if_not_all_can_match() -> None:
    catalog = small(("a", "Red kettle", "."), ("b", "Blue cup", "."), ("c", "Green hat", "."))
    assert set(names(search("kettle cup", catalog=catalog))) == {"Red kettle", "Blue cup"}


def test_other_forms_of_a_word_match() -> None:
    catalog = small(("a", "Kettle", "Tested twice."))
    assert search("testing", catalog=catalog).total == 1


def test_case_and_accents_do_not_matter() -> None:
    catalog = small(("a", "Café filter", "."))
    assert search("CAFE", catalog=catalog).total == 1
    assert search("cafe\N{COMBINING ACUTE ACCENT}", catalog=catalog).total == 1


def test_small_words_do_not_decide() -> None:
    assert search("something for the sourdough").items == search("sourdough").items


def test_small_words_alone_are_looked_for() -> None:
    catalog = small(("a", "The", "."), ("b", "Kettle", "."))
    assert names(search("the", catalog=catalog)) == ["The"]


@pytest.mark.parametrize(
    "query",
    [
        *(
            '"',
            "'",
            "kettle AND",
            "NOT",
            "NEAR(a b)",
            "name:kettle",
            "ke*ttle",
            "^kettle",
            "kettle -lamp",
            "(",
            "{x}:y",
        ),
        *(
            "\x00",
            "kett\x00le",
            "\N{TEAPOT}",
            "\N{TEACUP WITHOUT HANDLE} tea",
            "\ud800",
            "% _",
            "; DROP TABLE items",
            "_",
        ),
        *("\N{BAMUM LETTER PHASE-F KPA}", "a" * 200, "a " * 100, '""""" OR "', "\N{ZERO WIDTH JOINER}", "\\"),
    ],
    ids=ascii,
)
def test_no_query_is_a_syntax_error(query: str) -> None:
    page = search(query, limit=50)
    assert page.total >= len(page.items)


@settings(max_examples=300, deadline=None)
@given(query=st.text(max_size=200), limit=st.integers(1, 50))
def test_any_text_is_answered_with_a_page(query: str, limit: int) -> None:
    page = search(query, limit)
    assert len(page.items) == min(limit, page.total)
    assert (page.next_cursor is None) == (page.total <= limit)


def test_symbols_without_a_word_find_nothing() -> None:
    page = search("\N{TEAPOT} !?")
    assert (page.items, page.next_cursor, page.total) == ([], None, 0)


@pytest.mark.parametrize("blank", ["", "  ", "\n"], ids=ascii)
def test_a_blank_query_lists_everything_by_id(blank: str) -> None:
    ids = every_id(blank, 50)
    assert ids == sorted(row["id"] for row in json.loads(read_shipped_items()))


@pytest.mark.parametrize("limit", [1, 7, 50])
def test_pages_together_are_the_whole_result_without_repeats(limit: int) -> None:
    ids = every_id("water", limit)
    assert ids == every_id("water", 50)
    assert len(set(ids)) == len(ids) == search("water").total


def test_the_limit_may_change_between_pages() -> None:
    first = search("water", 3)
    second = search("water", 5, first.next_cursor)
    assert [item.id for item in [*first.items, *second.items]] == every_id("water", 50)[:8]


def test_a_cursor_outlives_the_process_that_gave_it() -> None:
    first = search("water", 3)
    assert search("water", 3, first.next_cursor, EmbeddedCatalog()) == search("water", 3, first.next_cursor)


@pytest.mark.parametrize("other", ["knife", "water bottle", "", "\N{TEAPOT}"], ids=ascii)
def test_a_cursor_of_another_query_is_refused(other: str) -> None:
    cursor = search("water", 3).next_cursor
    with pytest.raises(BadCursor):
        search(other, 3, cursor)


def test_a_cursor_of_other_data_is_refused() -> None:
    catalog = small(("a", "Water", "."), ("b", "Water", "."))
    with pytest.raises(BadCursor):
        search("water", 1, search("water", 1).next_cursor, catalog)


def test_a_cursor_accepts_no_change_of_any_character() -> None:
    cursor = search("water", 3).next_cursor
    assert cursor is not None
    for place, character in enumerate(cursor):
        other = "A" if character != "A" else "B"
        with pytest.raises(BadCursor):
            search("water", 3, cursor[:place] + other + cursor[place + 1 :])


@pytest.mark.parametrize("decoration", ["{}=", "{}\n", " {}", "{}!", "{}AAAA"], ids=ascii)
def test_a_cursor_accepts_no_decoration(decoration: str) -> None:
    cursor = search("water", 3).next_cursor
    with pytest.raises(BadCursor):
        search("water", 3, decoration.format(cursor))


@settings(max_examples=300, deadline=None)
@given(cursor=st.text(max_size=60) | st.text("ABCabc019-_=", max_size=24))
def test_an_invented_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(BadCursor):
        search("water", 3, cursor)


@pytest.mark.parametrize("limit", [0, -1, 51])
def test_a_limit_out_of_bounds_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="limit"):
        search("water", limit)


def test_an_item_found_can_be_fetched_by_its_id() -> None:
    summary = search("soil test kit").items[0]
    item = asyncio.run(SHIPPED.get(summary.id))
    assert item.id == "soil-test-kit"
    assert item.model_dump(include=set(type(summary).model_fields)) == summary.model_dump()


@pytest.mark.parametrize(
    "item_id", ["", "nope", "SOIL-TEST-KIT", "soil-test-kit ", "' OR 1=1 --", "\x00", "\ud800"], ids=ascii
)
def test_an_unknown_id_is_not_found(item_id: str) -> None:
    with pytest.raises(ItemNotFound):
        asyncio.run(SHIPPED.get(item_id))


def test_the_shipped_data_is_worth_reading() -> None:
    rows = json.loads(read_shipped_items())
    assert len(rows) == len({row["id"] for row in rows}) == len({row["description"] for row in rows}) == 120
    assert min(len(row["description"]) for row in rows) >= 120
    assert all(row["description"].endswith(".") and row["summary"].endswith((".", "?")) for row in rows)


def test_nothing_is_read_before_the_first_question() -> None:
    reads: list[None] = []

    def read() -> bytes:
        reads.append(None)
        return read_shipped_items()

    catalog = EmbeddedCatalog(read)
    assert reads == []
    search("water", catalog=catalog)
    search("knife", catalog=catalog)
    assert reads == [None]


def test_a_closed_catalogue_opens_again() -> None:
    async def main() -> None:
        catalog = EmbeddedCatalog()
        await catalog.aclose()
        before = await catalog.search("water")
        await catalog.aclose()
        await catalog.aclose()
        assert await catalog.search("water") == before
        await catalog.aclose()

    asyncio.run(main())


def test_many_threads_may_ask_at_once() -> None:
    catalog = EmbeddedCatalog()
    words = ["water", "test", "knife", "coffee"] * 25
    with ThreadPoolExecutor(8) as threads:
        pages = list(threads.map(partial(search, catalog=catalog), words))
    assert pages == [search(word) for word in words]


def test_the_index_cannot_be_written_to() -> None:
    catalog = EmbeddedCatalog()
    search("water", catalog=catalog)
    assert catalog._index is not None  # pyright: ignore[reportPrivateUsage] - nothing public can write
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        catalog._index.connection.execute("DELETE FROM items")  # pyright: ignore[reportPrivateUsage]


def test_a_python_without_sqlite_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlite3", None)
    with pytest.raises(CatalogUnavailable, match=r"FTS5.*Install"):
        search("water", catalog=EmbeddedCatalog())


def test_a_sqlite_without_fts5_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_server.sample.embedded._CREATE", "CREATE VIRTUAL TABLE items USING no_fts5(id)")
    with pytest.raises(CatalogUnavailable, match=r"FTS5.*Install"):
        search("water", catalog=EmbeddedCatalog())


def test_results_are_ordered_from_better_to_worse() -> None:
    catalog = small(("a", "Cup", "For tea."), ("b", "Tea", "Tea, tea."), ("c", "Tea pot", "For coffee, or for tea."))
    order = names(search("tea", catalog=catalog))
    assert list(pairwise(order)) == [("Tea", "Tea pot"), ("Tea pot", "Cup")]
