from __future__ import annotations

import io
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from stderr_pipe import Pipe

from mcp_server.observe.writer import LineWriter, Outlet

HOUR = 3600.0


@pytest.fixture
def writer(pipe: Pipe) -> Iterator[LineWriter]:
    """One that writes only when it is told to."""
    writer = LineWriter(Outlet(pipe.stream), tick=HOUR, capacity=400)
    yield writer
    pipe.hang_up()
    writer.close()


def arrives(pipe: Pipe) -> bool:
    return bool(select.select([pipe.reading], [], [], 5)[0])


def test_an_outlet_writes_utf_8_whatever_the_locale() -> None:
    pipe = Pipe(encoding="ascii")
    assert Outlet(pipe.stream).write("naïve 日本\n")
    assert pipe.read() == "naïve 日本\n"
    pipe.close()


def test_what_utf_8_cannot_express_is_written_as_an_escape(pipe: Pipe) -> None:
    assert Outlet(pipe.stream).write("a\udc80\n")
    assert pipe.read() == "a\\udc80\n"


def test_what_was_in_the_stream_before_comes_first(pipe: Pipe) -> None:
    pipe.stream.write("first ")
    Outlet(pipe.stream).write("second")
    assert pipe.read() == "first second"


def test_a_closed_stream_takes_nothing_and_raises_nothing(pipe: Pipe) -> None:
    outlet = Outlet(pipe.stream)
    pipe.stream.close()
    assert not outlet.write("lost\n")
    assert not Outlet(pipe.stream).write("lost\n")


def test_a_pipe_without_a_reader_takes_nothing_and_raises_nothing(pipe: Pipe) -> None:
    pipe.hang_up()
    assert not Outlet(pipe.stream).write("lost\n")


def test_a_full_disk_takes_nothing_and_raises_nothing() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        assert not Outlet(full).write("lost\n")


def test_a_process_without_standard_error_loses_its_log() -> None:
    assert not Outlet(None).write("lost\n")


def test_a_stream_of_text_only_is_written_to() -> None:
    stream = io.StringIO()
    assert Outlet(stream).write("naïve\n")
    assert stream.getvalue() == "naïve\n"


def test_a_line_cut_short_does_not_swallow_the_next(pipe: Pipe) -> None:
    outlet = Outlet(pipe.stream)
    os.set_blocking(pipe.stream.fileno(), False)
    assert not outlet.write("a" * 200_000)
    assert not outlet.write("lost whole\n")
    assert set(pipe.read()) == {"a"}
    assert outlet.write("whole\n")
    assert outlet.write("next\n")
    assert pipe.read() == "\nwhole\nnext\n"


def test_lines_are_written_in_order(pipe: Pipe, writer: LineWriter) -> None:
    for number in range(300):
        writer.put(str, f"{number}\n")
    assert writer.flush(5)
    assert pipe.read().split() == [str(number) for number in range(300)]


def test_a_flush_has_nothing_to_wait_for_before_the_first_line(writer: LineWriter) -> None:
    assert writer.flush(0)


def test_lines_are_written_after_a_tick(pipe: Pipe) -> None:
    writer = LineWriter(Outlet(pipe.stream), tick=0.001)
    writer.put(str, "soon\n")
    assert arrives(pipe)
    writer.close()


def test_many_lines_do_not_wait_for_the_tick(pipe: Pipe, writer: LineWriter) -> None:
    # The thread has taken the first one out, or has not.
    for _ in range(102):
        writer.put(str, "line\n")
    assert arrives(pipe)


def test_whoever_wakes_the_thread_for_nothing_does_not_keep_it_asleep(pipe: Pipe) -> None:
    """A line may be written between the moment it is put and the moment at which the thread is woken for it."""
    writer = LineWriter(Outlet(pipe.stream), tick=0.001)
    writer.put(str, "first\n")
    assert writer.flush(5)
    assert pipe.read() == "first\n"
    writer._wake()  # pyright: ignore[reportPrivateUsage]
    while not writer._alarm.empty():  # pyright: ignore[reportPrivateUsage]
        os.sched_yield()
    writer.put(str, "second\n")
    assert arrives(pipe)
    writer.close()


def test_an_urgent_line_does_not_wait_for_the_tick(pipe: Pipe, writer: LineWriter) -> None:
    writer.put(str, "urgent\n")
    writer.hasten()
    writer.hasten()
    assert arrives(pipe)


def test_nobody_waits_for_a_reader_who_does_not_read(pipe: Pipe, writer: LineWriter) -> None:
    pipe.fill()
    for _ in range(2000):
        writer.put(str, "line\n")
    assert not writer.flush(0.01)


def test_lost_lines_are_counted_and_told(pipe: Pipe, caplog: pytest.LogCaptureFixture) -> None:
    busy, go_on = threading.Event(), threading.Event()

    class Busy(Outlet):
        def write(self, text: str) -> bool:
            busy.set()
            go_on.wait(5)
            return super().write(text)

    writer = LineWriter(Busy(pipe.stream), tick=HOUR, capacity=4)
    writer.put(str, "first\n")
    writer.hasten()
    assert busy.wait(5)
    for _ in range(10):
        writer.put(str, "line\n")
    go_on.set()
    assert writer.flush(5)
    assert pipe.read() == "first\n" + "line\n" * 4
    assert [each.getMessage() for each in caplog.records] == [
        "6 log lines were lost: the disk was full, or nobody read the earlier ones"
    ]
    writer.close()


def test_lines_that_could_not_be_written_are_counted_and_told(caplog: pytest.LogCaptureFixture) -> None:
    class Mending(io.StringIO):
        broken = True

        def write(self, text: str, /) -> int:
            if self.broken:
                raise OSError
            return super().write(text)

    stream = Mending()
    writer = LineWriter(Outlet(stream), tick=HOUR)
    writer.put(str, "lost\n")
    assert writer.flush(5)
    stream.broken = False
    writer.put(str, "written\n")
    assert writer.flush(5)
    assert stream.getvalue() == "written\n"
    assert [each.args for each in caplog.records] == [(1,)]
    writer.close()


def test_a_line_that_cannot_be_made_does_not_end_the_log(pipe: Pipe, writer: LineWriter) -> None:
    def fail(_: str) -> str:
        raise ValueError("a secret")

    writer.put(fail, "")
    writer.put(str, "next\n")
    assert writer.flush(5)
    assert pipe.read() == "(a log line could not be written: ValueError)\nnext\n"


def test_closing_writes_what_waits_and_ends_the_thread(pipe: Pipe) -> None:
    writer = LineWriter(Outlet(pipe.stream), tick=HOUR)
    before = threading.active_count()
    writer.put(str, "last\n")
    assert threading.active_count() == before + 1
    writer.close(5)
    assert pipe.read() == "last\n"
    assert threading.active_count() == before


def test_a_line_after_closing_is_still_written(pipe: Pipe) -> None:
    writer = LineWriter(Outlet(pipe.stream), tick=HOUR)
    writer.put(str, "last\n")
    writer.close(5)
    writer.put(str, "one more\n")
    writer.close(5)
    assert pipe.read() == "last\none more\n"


def test_closing_does_not_wait_for_a_reader_who_does_not_read(pipe: Pipe) -> None:
    writer = LineWriter(Outlet(pipe.stream), tick=HOUR)
    size = pipe.fill()
    writer.put(str, "stuck\n")
    writer.close(0.01)
    pipe.drain(size)
    assert pipe.read() == "stuck\n"


def test_closing_what_never_wrote_does_nothing(pipe: Pipe) -> None:
    LineWriter(Outlet(pipe.stream)).close()


def test_an_interpreter_that_starts_no_more_threads_is_not_disturbed(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread at interpreter shutdown")

    writer = LineWriter(Outlet(pipe.stream))
    monkeypatch.setattr(threading.Thread, "start", refuse)
    writer.put(str, "lost\n")
    assert writer.flush(0)


def test_two_threads_that_log_first_start_one_writer(pipe: Pipe) -> None:
    writer = LineWriter(Outlet(pipe.stream), tick=HOUR)
    before = threading.active_count()
    # As if both had seen that there is no thread yet.
    writer._start()  # pyright: ignore[reportPrivateUsage]
    writer._start()  # pyright: ignore[reportPrivateUsage]
    assert threading.active_count() == before + 1
    writer.close(5)


def run(script: str) -> subprocess.CompletedProcess[str]:
    head = "import sys, os; from mcp_server.observe.writer import *; writer = LineWriter(Outlet(sys.stderr), tick=60)\n"
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", head + script], check=True, text=True, timeout=60, stderr=subprocess.PIPE
    )


def test_what_waits_is_written_at_exit() -> None:
    assert run("writer.put(str, 'last\\n')").stderr == "last\n"


def test_a_full_standard_error_does_not_spoil_the_exit_code() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        script = "import sys; from mcp_server.observe.writer import *; LineWriter(Outlet(sys.stderr)).put(str, 'x')"
        assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60, stderr=full).returncode == 0


def test_a_standard_error_that_nobody_reads_does_not_hold_up_the_exit(pipe: Pipe) -> None:
    pipe.fill()
    script = "import sys; from mcp_server.observe.writer import *; LineWriter(Outlet(sys.stderr)).put(str, 'x')"
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60, stderr=pipe.stream).returncode == 0


def test_after_a_fork_each_process_writes_its_own_lines() -> None:
    script = """
writer.put(str, "parent's\\n")
if child := os.fork():
    os.waitpid(child, 0)
else:
    writer.put(str, "child's\\n")
    writer.flush(5)
    os._exit(0)
"""
    assert sorted(run(script).stderr.split("\n")) == ["", "child's", "parent's"]
