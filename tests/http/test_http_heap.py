"""Memory that has been freed is kept for the next large answer."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

from mcp_server.heap import keep_freed_memory

FAULTS = """
import resource
from mcp_server.heap import keep_freed_memory

kept = {call}
def answer():
    return b"x" * (1024 * 1024) + b"y"

for _ in range(3):
    answer()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    parts = [answer() for _ in range(5)]
    del parts
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
"""How many pages the system had to bring while a hundred answers were made."""


def pages(call: str, **environment: str) -> tuple[bool, int]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    program = [sys.executable, "-c", FAULTS.format(call=call)]
    done = subprocess.run(program, env={**clean, **environment}, capture_output=True, text=True, check=True)
    kept, count = done.stdout.split()
    return kept == "True", int(count)


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc can be told")


@linux
def test_a_process_that_keeps_its_memory_is_brought_hardly_a_page() -> None:
    kept, brought = pages("keep_freed_memory()")
    assert kept
    _, without = pages("False")
    assert brought < without / 10


@linux
@pytest.mark.parametrize(
    ("name", "value"),
    [("MALLOC_TRIM_THRESHOLD_", "131072"), ("GLIBC_TUNABLES", "glibc.rtld.nns=4:glibc.malloc.trim_threshold=131072")],
)
def test_an_operator_who_has_chosen_is_left_alone(name: str, value: str) -> None:
    assert not pages("keep_freed_memory()", **{name: value})[0]


@linux
def test_what_else_is_tuned_says_nothing_of_memory() -> None:
    assert pages("keep_freed_memory()", GLIBC_TUNABLES="glibc.rtld.nns=4")[0]


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Another:
        def __init__(self, _: None) -> None: ...

    for name in [name for name in os.environ if name.startswith(("MALLOC_", "GLIBC_TUNABLES"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes, "CDLL", Another)
    assert not keep_freed_memory()
