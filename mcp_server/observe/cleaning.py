"""Makes text from anywhere fit for a log: it stays on its line, says nothing secret and has an end.

A line break could forge a line of its own, an escape sequence could drive the terminal of whoever reads it, and a
right-to-left mark could turn it round. All of them are written as Python writes them in a string.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from mcp_server.observe.records import CallRecord

NAME_LENGTH: Final = 200
MESSAGE_LENGTH: Final = 10_000

_LARGEST_ID: Final = 1 << 64
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{8}")
_QUERY: Final = re.compile(r"(?<=[\w/.~%:\]?-])\?[\w%&=+\[.-][^\s\"'<>`]*")
_CREDENTIAL: Final = re.compile(r"\b(bearer)([\s:=]+)[\"']?[\w.~+/=-]{16,}", re.IGNORECASE)


def clean(text: str, limit: int = NAME_LENGTH) -> str:
    """The text on one line, with everything that is not to be seen made visible, cut at `limit` characters."""
    if len(text) > limit:
        text = f"{text[:limit]}…"
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _visible(each) for each in text)


def clean_lines(text: str) -> list[str]:
    """The same for a text that may have several lines, none of which is lost."""
    return [clean(line, MESSAGE_LENGTH) for line in text.split("\n")]


def clean_id(request_id: int | str | None) -> int | str | None:
    """A request id that any reader of JSON or of text can take."""
    if isinstance(request_id, str):
        return clean(request_id)
    if request_id is not None and abs(request_id) >= _LARGEST_ID:
        return "a very large number"
    return request_id


def cleaned(record: CallRecord) -> CallRecord:
    """The record, fit to be written down; nearly always it already is, and one look at all its strings tells."""
    request_id, key = clean_id(record.request_id), fingerprint(record.key)
    said = f"{record.method}{record.target}{record.transport}{record.version}{record.client}{record.reference}"
    if len(said) <= NAME_LENGTH and said.isprintable() and request_id is record.request_id and key is record.key:
        return record
    return replace(
        record,
        method=clean(record.method),
        target=_clean(record.target),
        transport=clean(record.transport),
        version=_clean(record.version),
        client=_clean(record.client),
        request_id=request_id,
        reference=_clean(record.reference),
        key=key,
    )


def fingerprint(key: str | None) -> str | None:
    """The fingerprint, if it is one: whoever passes anything else may have passed the key itself."""
    return key if key is None or _FINGERPRINT.fullmatch(key) else "?"


def scrub(text: str) -> str:
    """The text without the query string of any address in it, and without the token after any `Bearer`."""
    if "?" in text:
        text = _QUERY.sub("?…", text)
    return _CREDENTIAL.sub(r"\1\2…", text)


def _clean(text: str | None) -> str | None:
    return None if text is None else clean(text)


def _visible(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
