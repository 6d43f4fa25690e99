"""The log of a process of ours: `configure` sets it up, a `CallLog` writes the line of each call.

Everything goes to standard error through one writer, in the order in which it was said. A `CallLog` needs no set-up
of the `logging` module, so that the server can also live in a process whose log belongs to somebody else.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import Final, Protocol, TextIO

from mcp_server.observe.cleaning import clean
from mcp_server.observe.formats import FORMATS, LEVELS, Style
from mcp_server.observe.records import CallRecord
from mcp_server.observe.writer import LineWriter, Outlet

_UVICORN: Final = ("uvicorn", "uvicorn.error", "uvicorn.asgi")
_UVICORN_ACCESS: Final = "uvicorn.access"

_LEAST: Final = {
    # These write whole messages, addresses or headers when they are asked for details ...
    "httpcore": logging.INFO,
    "httpcore2": logging.INFO,
    "httpx": logging.WARNING,
    "httpx2": logging.WARNING,
    "mangum": logging.INFO,
    "mcp": logging.INFO,
    "python_multipart": logging.INFO,
    "sse_starlette": logging.INFO,
    # ... and these quote what a stranger sent when it is malformed.
    "opentelemetry.baggage": logging.ERROR,
    "opentelemetry.trace": logging.ERROR,
}
"""The least important message that is let through of each library, however low the level is."""


class Calls(Protocol):
    """Where the line of each call goes."""

    def record(self, record: CallRecord) -> None:
        """Have the call written soon."""
        ...

    def flush(self) -> bool:
        """Wait for a moment until all is written, and say whether it is: before a process is frozen or ends."""
        ...

    def close(self) -> None:
        """Flush, and stop writing in the background."""
        ...


class NoCallLog:
    """Writes nothing."""

    def record(self, record: CallRecord) -> None:
        """Forget the call."""

    def flush(self) -> bool:
        """Nothing waits."""
        return True

    def close(self) -> None:
        """Nothing to stop."""


class CallLog:
    """Writes one line per call, in its own good time; below `level`, which calls that went well have, none."""

    def __init__(self, writer: LineWriter, style: Style = "json", level: int = logging.INFO) -> None:
        self._writer = writer
        self._put = writer.put
        self._render = FORMATS[style].call
        self._wanted = frozenset(outcome for outcome, weight in LEVELS.items() if weight >= level)

    def record(self, record: CallRecord) -> None:
        """Have the call written soon, with the present time."""
        if record.outcome in self._wanted:
            self._put(self._render, (time.time(), record))

    def flush(self) -> bool:
        """Wait for a moment until all is written, and say whether it is."""
        return self._writer.flush()

    def close(self) -> None:
        """Flush, and stop writing in the background."""
        self._writer.close()


class LineHandler(logging.Handler):
    """Hands log records to a writer, finished as text."""

    def __init__(self, writer: LineWriter, formatter: logging.Formatter, redact: Callable[[str], str]) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._writer = writer
        self._redact = redact

    def emit(self, record: logging.LogRecord) -> None:
        """Put the record's line into the queue; a warning does not wait for the tick."""
        try:
            line = self._redact(self.format(record))
        except Exception:  # noqa: BLE001 - whoever logs must not fail for it
            self.handleError(record)
            return
        self._writer.put(str, line)
        if record.levelno >= logging.WARNING:
            self._writer.hasten()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is `logging`'s
        """Say where the record came from and not what was in it, which the standard way would print."""
        self._writer.put(str, f"(a record of {clean(record.name)} line {record.lineno} could not be formatted)\n")

    def flush(self) -> None:
        """Wait for a moment until all is written."""
        self._writer.flush()


def configure(
    level: str = "INFO",
    style: Style = "json",
    stream: TextIO | None = None,
    *,
    access: bool = True,
    redact: Callable[[str], str] = str,
) -> CallLog:
    """Take over this process's logging: everything goes to `stream` (standard error), one line each.

    Any earlier set-up is replaced, uvicorn's too (give it `log_config=None`). `access` keeps its line per request,
    without query strings. `redact` has the last word on every line but those of calls, which hold nothing to redact.

    Raises:
        ValueError: There is no such level.
    """
    weight = logging.getLevelNamesMapping().get(level.upper())
    if weight is None:
        raise ValueError(f"Unknown log level: {clean(level)}")
    writer = LineWriter(Outlet(sys.stderr if stream is None else stream))
    root = logging.getLogger()
    _remove_handlers(root)
    root.addHandler(LineHandler(writer, FORMATS[style].formatter, redact))
    root.setLevel(weight)
    logging.captureWarnings(capture=True)
    _bring_into_line(weight, access=access)
    return CallLog(writer, style, weight)


def _bring_into_line(weight: int, *, access: bool) -> None:
    for name, least in _LEAST.items():
        logging.getLogger(name).setLevel(max(weight, least))
    for name in (*_UVICORN, _UVICORN_ACCESS):
        logger = logging.getLogger(name)
        _remove_handlers(logger)
        logger.propagate = True
        # uvicorn looks at its logger's own level to decide whether to trace, and unset is lower than trace.
        logger.setLevel(weight)
    # Without a handler above it, uvicorn does not even make the line.
    logging.getLogger(_UVICORN_ACCESS).propagate = access


def _remove_handlers(logger: logging.Logger) -> None:
    for handler in tuple(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
