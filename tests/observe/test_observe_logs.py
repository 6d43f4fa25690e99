from __future__ import annotations

import io
import json
import logging
import select
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from stderr_pipe import Pipe

from mcp_server.observe.formats import FORMATS, Style
from mcp_server.observe.logs import CallLog, Calls, LineHandler, NoCallLog, configure
from mcp_server.observe.records import CallRecord, Outcome
from mcp_server.observe.writer import LineWriter, Outlet

pytestmark = pytest.mark.usefixtures("logging_restored")

logger = logging.getLogger("mcp_server.test")


class Log:
    """A configured log whose lines can be read."""

    def __init__(self, **options: Any) -> None:
        self.stream = io.StringIO()
        self.calls = configure(stream=self.stream, **options)

    def text(self) -> str:
        assert self.calls.flush()
        text = self.stream.getvalue()
        self.stream.truncate(0)
        self.stream.seek(0)
        return text

    def json(self) -> dict[str, Any]:
        (line,) = self.text().splitlines()
        return json.loads(line)


@pytest.fixture
def open_log() -> Iterator[Callable[..., Log]]:
    opened: list[Log] = []

    def open_one(**options: Any) -> Log:
        opened.append(Log(**options))
        return opened[-1]

    yield open_one
    for log in opened:
        log.calls.close()


OpenLog = Callable[..., Log]


def fail(fault: str, message: str) -> None:
    """Log a message with the traceback of a fault."""
    try:
        raise_(ValueError(fault))
    except ValueError:
        logger.exception(message)


def raise_(fault: Exception) -> None:
    raise fault


def test_a_call_is_one_json_object_with_all_its_keys(open_log: OpenLog, record: CallRecord) -> None:
    log = open_log()
    log.calls.record(record)
    line = log.json()
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "INFO",
        "logger": "mcp_server.calls",
        "message": "call",
        "method": "tools/call",
        "target": "search_items",
        "argument_bytes": 12,
        "result_bytes": 345,
        "ms": 1.235,
        "outcome": "ok",
        "transport": "http",
        "version": "2026-07-28",
        "client": "claude-ai/0.1.0",
        "request_id": 1,
        "reference": "abcd1234",
        "key": "1a2b3c4d",
    }


def test_a_call_in_text_has_time_and_level(open_log: OpenLog, record: CallRecord) -> None:
    log = open_log(style="text")
    log.calls.record(replace(record, outcome="timeout"))
    time, level, rest = log.text().split(" | ", 2)
    assert len(time) == len("2026-11-21 10:20:01")
    assert level == "WARNING"
    assert rest.startswith("Processing MCP method: tools/call, id: 1 | search_items timeout in 1.2 ms | ")


@pytest.mark.parametrize("style", ["json", "text"])
def test_nobody_forges_a_line_with_a_name(open_log: OpenLog, record: CallRecord, style: Style) -> None:
    log = open_log(style=style)
    log.calls.record(replace(record, target='x"\n2026-11-21 10:20:01 | ERROR | forged', client="\u2028\x1b[2J"))
    assert len(log.text().splitlines()) == 1


def test_a_key_in_place_of_its_fingerprint_is_not_written(open_log: OpenLog, record: CallRecord) -> None:
    log = open_log()
    log.calls.record(replace(record, key="the-key-itself"))
    assert log.json()["key"] == "?"


@pytest.mark.parametrize(
    ("outcome", "level"),
    [("ok", "INFO"), ("cancelled", "INFO"), ("tool_error", "WARNING"), ("timeout", "WARNING"), ("error", "WARNING")],
)
def test_a_call_that_failed_is_a_warning(open_log: OpenLog, record: CallRecord, outcome: Outcome, level: str) -> None:
    log = open_log()
    log.calls.record(replace(record, outcome=outcome))
    assert log.json()["level"] == level


def test_above_info_only_calls_that_failed_are_written(open_log: OpenLog, record: CallRecord) -> None:
    log = open_log(level="warning")
    log.calls.record(record)
    log.calls.record(replace(record, outcome="error"))
    assert log.json()["outcome"] == "error"


def test_a_call_log_works_without_our_logging(pipe: Pipe, record: CallRecord) -> None:
    calls = CallLog(LineWriter(Outlet(pipe.stream)), "text")
    calls.record(record)
    calls.close()
    assert " | INFO | Processing MCP method: " in pipe.read()


def test_no_call_log_writes_nothing(record: CallRecord, capfd: pytest.CaptureFixture[str]) -> None:
    calls: Calls = NoCallLog()
    calls.record(record)
    assert calls.flush()
    calls.close()
    assert capfd.readouterr() == ("", "")


def test_a_message_in_text_has_time_level_and_words(open_log: OpenLog) -> None:
    log = open_log(style="text")
    logger.info("Listening on %s", "::")
    assert log.text()[19:] == " | INFO | Listening on ::\n"


def test_a_message_in_json_has_time_level_and_logger(open_log: OpenLog) -> None:
    log = open_log()
    logger.error('a "quoted" naïve message')
    line = log.json()
    assert len(line.pop("time")) == len("2026-11-21T10:20:01.123Z")
    assert line == {"level": "ERROR", "logger": "mcp_server.test", "message": 'a "quoted" naïve message'}


def test_a_message_of_several_lines_is_one_json_line(open_log: OpenLog) -> None:
    log = open_log()
    logger.warning("one\ntwo\x1b\u2028three")
    assert log.json()["message"] == "one\ntwo\\x1b\\u2028three"


def test_a_line_that_continues_a_message_cannot_be_taken_for_another(open_log: OpenLog) -> None:
    log = open_log(style="text")
    logger.warning("one\n2026-11-21 10:20:01 | ERROR | forged")
    assert log.text().splitlines()[1] == "    | 2026-11-21 10:20:01 | ERROR | forged"


def test_a_traceback_is_a_field_in_json(open_log: OpenLog) -> None:
    log = open_log()
    fail("no\nsuch", "failed")
    exception = log.json()["exception"]
    assert exception.startswith("Traceback (most recent call last):\n")
    assert exception.endswith("ValueError: no\nsuch")


def test_a_traceback_in_text_is_indented(open_log: OpenLog) -> None:
    log = open_log(style="text")
    fail("2026 | ERROR | forged", "failed")
    first, *rest = log.text().splitlines()
    assert first.endswith(" | ERROR | failed")
    assert rest[-1] == "    | ValueError: 2026 | ERROR | forged"
    assert all(line.startswith("    | ") for line in rest)


def test_a_stack_that_was_asked_for_is_written(open_log: OpenLog) -> None:
    log = open_log()
    logger.warning("here", stack_info=True)
    assert log.json()["exception"].startswith("Stack (most recent call last):")


def test_a_long_message_keeps_its_beginning(open_log: OpenLog) -> None:
    log = open_log()
    logger.warning("begin%s", "x" * 100_000)
    message = log.json()["message"]
    assert message.startswith("begin")
    assert len(message) == 10_001


def test_a_long_traceback_keeps_its_end(open_log: OpenLog) -> None:
    log = open_log()
    fail("\n".join(["x" * 1000] * 100 + ["end"]), "failed")
    exception = log.json()["exception"]
    assert exception.startswith("…x")
    assert exception.endswith("\nend")
    assert len(exception) == 30_001


def test_a_query_string_is_in_no_message_and_no_traceback(open_log: OpenLog) -> None:
    log = open_log()
    fail("for url 'https://a.example/x?token=hidden'", "GET /mcp?token=hidden")
    assert "hidden" not in log.text()


def test_the_redactor_has_the_last_word(open_log: OpenLog) -> None:
    def redact(text: str) -> str:
        return text.replace("hunter2", "***")

    log = open_log(redact=redact)
    logger.warning("the password is %s", "hunter2")
    assert log.json()["message"] == "the password is ***"


def test_a_record_that_cannot_be_formatted_is_told_without_its_content(open_log: OpenLog) -> None:
    log = open_log()
    # As a caller might get it wrong; `logging` itself would print the arguments.
    record = logging.LogRecord("some.logger", logging.INFO, "file.py", 7, "%d", ("a secret",), None)
    logger.handle(record)
    assert log.text() == "(a record of some.logger line 7 could not be formatted)\n"


def test_a_warning_of_python_is_a_line(open_log: OpenLog) -> None:
    log = open_log()
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.warn("mind the step", stacklevel=1)
    line = log.json()
    assert line["logger"] == "py.warnings"
    assert "mind the step" in line["message"]


def test_a_warning_does_not_wait_for_the_tick(pipe: Pipe) -> None:
    writer = LineWriter(Outlet(pipe.stream), tick=3600)
    logger.addHandler(handler := LineHandler(writer, FORMATS["text"].formatter, str))
    logger.warning("soon")
    logger.removeHandler(handler)
    assert select.select([pipe.reading], [], [], 5)[0]
    writer.close()


def test_the_log_goes_to_standard_error_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, record: CallRecord
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    calls = configure()
    calls.record(record)
    calls.close()
    assert json.loads(stream.getvalue())["target"] == "search_items"


def test_messages_below_the_level_are_not_written(open_log: OpenLog) -> None:
    log = open_log(level="WARNING")
    logger.info("quiet")
    assert log.text() == ""


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="Unknown log level: LOUD"):
        configure("LOUD")


def test_debugging_shows_our_details_but_no_library_s_payloads(open_log: OpenLog) -> None:
    log = open_log(level="DEBUG", style="text")
    logging.getLogger("sse_starlette.sse").debug("chunk: %s", "a result")
    logging.getLogger("httpx2").info("HTTP Request: GET https://a.example/path")
    logging.getLogger("opentelemetry.baggage.propagation").warning("Baggage entry %s", "a secret")
    logger.debug("a detail")
    (line,) = log.text().splitlines()
    assert line.endswith(" | DEBUG | a detail")


def test_a_second_set_up_replaces_the_first(open_log: OpenLog) -> None:
    first = open_log()
    second = open_log()
    logger.info("once")
    assert second.json()["message"] == "once"
    assert first.text() == ""


def test_uvicorn_s_lines_are_brought_into_line(open_log: OpenLog) -> None:
    from uvicorn import Config

    async def app(scope: object, receive: object, send: object) -> None: ...

    Config(app)
    log = open_log(style="text")
    logging.getLogger("uvicorn.error").info("Started server process [%d]", 7)
    assert log.text()[19:] == " | INFO | Started server process [7]\n"


def test_uvicorn_s_access_line_keeps_its_words_and_loses_the_query(open_log: OpenLog) -> None:
    log = open_log(style="text")
    access = logging.getLogger("uvicorn.access")
    access.info('%s - "%s %s HTTP/%s" %d', "203.0.113.7:1", "POST", "/mcp?key=hidden", "1.1", 200)
    assert log.text()[19:] == ' | INFO | 203.0.113.7:1 - "POST /mcp?… HTTP/1.1" 200\n'


def test_uvicorn_does_not_even_make_an_access_line_that_is_not_wanted(open_log: OpenLog) -> None:
    open_log(access=False)
    assert not logging.getLogger("uvicorn.access").hasHandlers()


def test_debugging_does_not_make_uvicorn_trace(open_log: OpenLog) -> None:
    from uvicorn.logging import TRACE_LOG_LEVEL

    open_log(level="DEBUG")
    assert logging.getLogger("uvicorn.error").level > TRACE_LOG_LEVEL


def test_flushing_the_root_s_handler_writes_what_waits(open_log: OpenLog) -> None:
    log = open_log()
    logger.info("waiting")
    for handler in logging.getLogger().handlers:
        handler.flush()
    assert "waiting" in log.stream.getvalue()
