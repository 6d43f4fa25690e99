"""A real process on real pipes: its streams, its signals and its end."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from pathlib import Path

import pytest
from processes import PATIENCE, call, started

from mcp_server.transports.pipes import MAX_LINE

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and descriptors of POSIX")


@pytest.mark.parametrize("tool", ["prints", "writes_to_the_descriptor", "starts_a_program"])
def test_what_a_tool_prints_goes_to_standard_error(tool: str) -> None:
    with started() as process:
        process.text_of(tool)
        process.ready()
        process.input.close()
        assert process.leaves() == 0
        assert process.output.read() == b""
        assert "noise" in process.errors()


def test_a_tool_finds_nothing_on_its_standard_input() -> None:
    with started() as process:
        assert process.text_of("reads_its_input") == "b''"


def test_a_tool_that_exits_ends_its_call_only() -> None:
    with started() as process:
        process.call("exits")
        assert process.hear()["error"]["code"] == -32603
        process.ready()


@pytest.mark.parametrize("closed", ["2>&-", "2>/dev/null"])
def test_without_standard_error_the_client_still_gets_nothing_but_messages(closed: str) -> None:
    with started(closed) as process:
        for tool in ("writes_to_the_descriptor", "writes_to_standard_error", "starts_a_program", "prints"):
            process.text_of(tool)
        process.input.close()
        assert process.leaves() == 0
        assert process.output.read() == b""


def test_without_standard_input_the_process_leaves_at_once() -> None:
    with started("<&-") as process:
        assert process.leaves() == 0


def test_without_standard_output_the_process_leaves_with_its_client() -> None:
    with started(">&-") as process:
        process.call("echo")
        process.input.close()
        assert process.leaves() == 0


def test_a_client_that_closes_standard_error_does_not_end_the_server() -> None:
    with started() as process:
        assert process.child.stderr is not None
        process.child.stderr.close()
        process.call("writes_to_the_descriptor")
        assert process.hear()["error"]["code"] == -32603
        process.ready()


@pytest.mark.parametrize("locale", ["C", "POSIX"])
def test_text_is_utf_8_whatever_the_locale(locale: str) -> None:
    with started(LC_ALL=locale, LANG=locale, PYTHONUTF8="0", PYTHONCOERCECLOCALE="0") as process:
        assert process.text_of("says_something_foreign") == "größe \u65e5\u672c \U0001f600"
        said = json.loads(process.text_of("echo", text="größe \u65e5\u672c"))
        assert said == {"text": "größe \u65e5\u672c"}


@pytest.mark.parametrize(
    "tool", ["waits", "cleans_up", "hangs_in_a_thread_of_ours", "hangs_in_a_thread_of_the_loop", "is_stubborn"]
)
def test_the_process_leaves_after_the_end_of_its_input_whatever_is_in_flight(tool: str) -> None:
    with started() as process:
        process.call(tool, "slow")
        process.ready()
        process.input.close()
        assert process.leaves() == 0
        assert process.output.read() == b""


def test_a_call_may_clean_up_before_the_process_leaves() -> None:
    with started() as process:
        process.call("cleans_up", "slow")
        process.ready()
        process.input.close()
        assert process.leaves() == 0
        assert "cleaned up" in process.errors()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("tool", ["echo", "waits", "is_stubborn", "hangs_in_a_thread_of_the_loop"])
def test_a_signal_asks_the_process_to_leave(number: signal.Signals, tool: str) -> None:
    with started() as process:
        process.ready()
        process.call(tool, "slow")
        if tool == "echo":
            process.hear()
        else:
            process.ready()
        process.child.send_signal(number)
        assert process.leaves() == 0
        assert "Traceback" not in process.errors()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_the_process(number: signal.Signals) -> None:
    with started() as process:
        process.call("is_stubborn", "slow")
        process.ready()
        process.child.send_signal(number)
        assert process.child.stderr is not None
        while b"not yet" not in process.child.stderr.readline():
            pass
        process.child.send_signal(number)
        assert process.leaves() == -number


def test_a_client_that_stops_reading_for_ever_ends_the_server_when_it_closes_its_end() -> None:
    with started() as process:
        process.ready()
        process.output.close()
        process.call("echo")
        assert process.leaves() == 0


def test_a_client_may_send_everything_before_it_reads_anything() -> None:
    count = 50_000
    with started() as process:
        process.input.write(b"".join(call("echo", number) + b"\n" for number in range(count)))
        process.input.close()
        seen = [json.loads(line)["id"] for line in process.output]
        assert seen == list(range(count))
        assert process.leaves() == 0


def test_a_client_that_has_said_everything_may_take_its_time_to_read() -> None:
    count = 3000
    with started() as process:
        process.input.write(b"".join(call("echo", number) + b"\n" for number in range(count)))
        process.input.close()
        seen: list[int] = []
        for line in process.output:
            seen.append(json.loads(line)["id"])
            time.sleep(0.001)  # long enough for the process to leave in the meantime, if it does
        assert seen == list(range(count))
        assert process.leaves() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_client_that_never_reads_costs_a_bounded_amount_of_memory() -> None:
    with started() as process:
        process.ready()
        os.set_blocking(process.input.fileno(), False)
        lines = call("says_much", 1, size=1000) * 100
        begun = time.monotonic()
        while select.select([], [process.input], [], 0.5)[1]:
            os.write(process.input.fileno(), lines.replace(b"}{", b"}\n{") + b"\n")
            assert time.monotonic() - begun < PATIENCE / 2, "the server reads on although nobody reads its answers"
        status = Path(f"/proc/{process.child.pid}/status").read_text()
        resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        assert resident < 200_000
        process.child.send_signal(signal.SIGTERM)
        assert process.leaves() == 0


def test_lines_that_end_like_those_of_windows_are_read() -> None:
    with started() as process:
        process.input.write(call("echo", "a") + b"\r\n\r\n\n" + call("echo", "b") + b"\r\n")
        process.input.flush()
        assert [process.hear()["id"], process.hear()["id"]] == ["a", "b"]


def test_one_line_can_have_four_megabytes_and_no_byte_more() -> None:
    line = call("echo", "big", text="")
    with started() as process:
        for size in (MAX_LINE, MAX_LINE + 1):
            process.say(line.replace(b'"text": ""', b'"text": "' + b"x" * (size - len(line)) + b'"'))
        assert process.hear()["id"] == "big"
        refused = process.hear()
        assert (refused["id"], refused["error"]["code"]) == (None, -32600)
        process.ready()
