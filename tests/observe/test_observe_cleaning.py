from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_server.observe.cleaning import NAME_LENGTH, clean, clean_id, clean_lines, cleaned, fingerprint, scrub
from mcp_server.observe.records import CallRecord


@given(st.text())
def test_clean_text_is_one_printable_line_with_an_end(text: str) -> None:
    assert clean(text).isprintable()
    assert len(clean(text)) <= 10 * (NAME_LENGTH + 1)


def test_plain_text_is_left_alone() -> None:
    assert clean("naïve café 日本 🙂") == "naïve café 日本 🙂"


@pytest.mark.parametrize(
    ("forged", "seen"),
    [
        ("a\r\n2026 | ERROR | forged", r"a\r\n2026 | ERROR | forged"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\u202eesrever", r"\u202eesrever"),
        ("a\u2028b\x85c", r"a\u2028b\x85c"),
        ("\udc80", r"\udc80"),
        ("\x00", r"\x00"),
    ],
)
def test_what_could_forge_a_line_or_drive_a_terminal_is_made_visible(forged: str, seen: str) -> None:
    assert clean(forged) == seen


def test_a_long_text_is_cut() -> None:
    assert clean("a" * 1000, 10) == "aaaaaaaaaa…"


def test_no_line_of_a_longer_text_is_lost() -> None:
    assert clean_lines("one\ntwo\rthree\n") == ["one", r"two\rthree", ""]


def test_an_ordinary_id_is_left_alone() -> None:
    assert [clean_id(each) for each in (1, "a", None, -5)] == [1, "a", None, -5]


def test_an_id_too_large_for_readers_is_described() -> None:
    assert clean_id(10**5000) == "a very large number"


def test_an_id_with_a_line_break_stays_on_its_line() -> None:
    assert clean_id("a\nb") == r"a\nb"


def test_a_fingerprint_is_shown() -> None:
    assert fingerprint("1a2b3c4d") == "1a2b3c4d"
    assert fingerprint(None) is None


@pytest.mark.parametrize("secret", ["a-real-key-of-32-characters-or-so", "1a2b3c4d5", "1A2B3C4D", "1a2b3c4d\n", ""])
def test_what_is_not_a_fingerprint_is_not_shown(secret: str) -> None:
    assert fingerprint(secret) == "?"


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("GET /mcp?key=secret HTTP/1.1", "GET /mcp?… HTTP/1.1"),
        ("GET /mcp?secret HTTP/1.1", "GET /mcp?… HTTP/1.1"),
        ("'https://a.example/?token=a&b=c'", "'https://a.example/?…'"),
        ("http://[::1]?token=a", "http://[::1]?…"),
        ("/mcp??token=a", "/mcp??…"),
        ("/mcp?%74oken=a", "/mcp?…"),
        ("Authorization: Bearer 0123456789abcdef0123", "Authorization: Bearer …"),
        ("{'authorization': 'bearer 0123456789abcdef=='}", "{'authorization': 'bearer …'}"),
        ("Is it so? Yes.", "Is it so? Yes."),
        ("a bearer of bad news", "a bearer of bad news"),
    ],
)
def test_queries_and_bearer_tokens_are_scrubbed(text: str, scrubbed: str) -> None:
    assert scrub(text) == scrubbed


@pytest.mark.parametrize(
    "unkind", ["/? " * 20_000, "/?" * 40_000, "?" * 80_000, "bearer " * 10_000, "bearer" + " " * 80_000]
)
def test_scrubbing_takes_no_longer_for_an_unkind_text(unkind: str) -> None:
    started = time.process_time()
    scrub(unkind)
    assert time.process_time() - started < 0.1


def test_a_record_that_needs_no_cleaning_is_not_copied(record: CallRecord) -> None:
    assert cleaned(record) is record


def test_every_string_of_a_record_is_cleaned(record: CallRecord) -> None:
    bad = "a\nb"
    dirty = replace(
        record, method=bad, target=bad, transport=bad, version=bad, client=bad, request_id=bad, reference=bad, key=bad
    )
    tidy = cleaned(dirty)
    good = r"a\nb"
    assert tidy == replace(
        record,
        method=good,
        target=good,
        transport=good,
        version=good,
        client=good,
        request_id=good,
        reference=good,
        key="?",
    )


def test_what_a_record_lacks_it_still_lacks_when_cleaned(record: CallRecord) -> None:
    tidy = cleaned(replace(record, method="a\n", target=None, version=None, client=None, reference=None, key=None))
    assert (tidy.target, tidy.version, tidy.client, tidy.reference, tidy.key) == (None,) * 5


def test_long_names_of_a_record_are_cut(record: CallRecord) -> None:
    assert len(cleaned(replace(record, client="c" * 10_000)).client or "") == NAME_LENGTH + 1
