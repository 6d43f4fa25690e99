"""From a record to a line: JSON for machines, text for people. Both say the same and end in one line break."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, TypeAlias

from pydantic_core import to_json

from mcp_server.observe import lines
from mcp_server.observe.cleaning import MESSAGE_LENGTH, clean_lines, cleaned, scrub
from mcp_server.observe.records import CallRecord, Outcome

Style: TypeAlias = Literal["json", "text"]
TimedCall: TypeAlias = tuple[float, CallRecord]
"""A call and the moment it ended, in seconds since the epoch."""

LEVELS: Final[dict[Outcome, int]] = {
    "ok": logging.INFO,
    "cancelled": logging.INFO,
    "tool_error": logging.WARNING,
    "timeout": logging.WARNING,
    "error": logging.WARNING,
}
"""A call that failed is a warning; where the fault is our own, whoever found it logs an error with its traceback."""

_LEVEL_NAMES: Final = {outcome: logging.getLevelName(level) for outcome, level in LEVELS.items()}
_TRACEBACK_LENGTH: Final = 30_000
_CONTINUED: Final = "\n    | "


class JsonFormatter(logging.Formatter):
    """One JSON object a line, in UTC."""

    def format(self, record: logging.LogRecord) -> str:
        """The record with its message, and its traceback if it has one."""
        said: dict[str, str] = {
            "time": _in_utc(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": "\n".join(_message(record)),
        }
        if traceback := _traceback(self, record):
            said["exception"] = "\n".join(traceback)
        return f"{_json(said)}\n"


class TextFormatter(logging.Formatter):
    """`2026-11-21 10:20:01 | INFO | message`, in local time; what continues a line cannot be taken for one."""

    def format(self, record: logging.LogRecord) -> str:
        """The record with its message, and its traceback if it has one."""
        said = _message(record) + _traceback(self, record)
        return f"{_in_local_time(record.created)} | {record.levelname} | {_CONTINUED.join(said)}\n"


def json_call(timed: TimedCall) -> str:
    """A call as JSON; every call has the same keys, so that a table can be made of them."""
    at, record = timed
    record = cleaned(record)
    asked, answered = _same_in_many_calls(
        record.method, record.target, record.outcome, record.transport, record.version, record.client, record.key
    )
    identity = record.request_id
    return (
        f'{{"time":"{_in_utc(at)}",{asked},"argument_bytes":{record.argument_bytes}'
        f',"result_bytes":{record.result_bytes},"ms":{record.milliseconds:.3f},{answered}'
        f',"request_id":{identity if type(identity) is int else _json(identity)}'
        f',"reference":{"null" if record.reference is None else _json(record.reference)}}}\n'
    )


# To make JSON of the whole record takes as long as everything else about its line. The texts are cleaned, and so short.
@lru_cache(maxsize=256)
def _same_in_many_calls(  # noqa: PLR0917 - named arguments would make another key each
    method: str,
    target: str | None,
    outcome: Outcome,
    transport: str,
    version: str | None,
    client: str | None,
    key: str | None,
) -> tuple[str, str]:
    """What one caller's calls of one tool have in common, as the two runs of members in which it stands."""
    asked = {
        "level": _LEVEL_NAMES[outcome],
        "logger": "mcp_server.calls",
        "message": "call",
        "method": method,
        "target": target,
    }
    answered = {"outcome": outcome, "transport": transport, "version": version, "client": client, "key": key}
    return _json(asked)[1:-1], _json(answered)[1:-1]


def text_call(timed: TimedCall) -> str:
    """A call as people read it."""
    at, record = timed
    return f"{_in_local_time(at)} | {_LEVEL_NAMES[record.outcome]} | {lines.call(record)}\n"


@dataclass(frozen=True, slots=True)
class Format:
    """How a process writes: its log records and its calls."""

    formatter: logging.Formatter
    call: Callable[[TimedCall], str]


FORMATS: Final[dict[Style, Format]] = {
    "json": Format(JsonFormatter(), json_call),
    "text": Format(TextFormatter(), text_call),
}


def _json(said: Mapping[str, str | None] | str | float | None) -> str:
    return to_json(said).decode()


def _message(record: logging.LogRecord) -> list[str]:
    message = record.getMessage()
    if len(message) > MESSAGE_LENGTH:
        message = f"{message[:MESSAGE_LENGTH]}…"
    return clean_lines(scrub(message))


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> list[str]:
    traceback = formatter.formatException(record.exc_info) if record.exc_info else ""
    if record.stack_info:
        traceback += record.stack_info
    if not traceback:
        return []
    if len(traceback) > _TRACEBACK_LENGTH:
        # Its end names the fault.
        traceback = f"…{traceback[-_TRACEBACK_LENGTH:]}"
    return clean_lines(scrub(traceback))


def _in_utc(at: float) -> str:
    return f"{_utc_second(int(at))}.{int(at * 1000) % 1000:03d}Z"


def _in_local_time(at: float) -> str:
    return _local_second(int(at))


# Hundreds of lines share a second, and `strftime` costs as much as all the rest of a line.
@lru_cache(maxsize=8)
def _utc_second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


@lru_cache(maxsize=8)
def _local_second(second: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
