"""How many machine instructions one call takes: `python -m benchmarks.instructions`, some four minutes.

Times depend on what else the machine does; instructions hardly do. valgrind counts them over a few calls and over many,
and the difference is the calls. It must be installed (`apt-get install valgrind`). What the kernel does for a socket is
not in it, so that the ratio to the floor is larger here than it is in CPU time.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import Final

from benchmarks import questions
from benchmarks.processes import ROOT, clean_environment

CALLS: Final = 500
SUBJECTS: Final = {
    "raw ASGI floor": "floor",
    "ours, protocol only": "face",
    "ours, everything off": "bare",
    "ours, everything on": "everything",
    "official SDK": "official",
}
_COUNTED: Final = re.compile(r"Collected : (\d+)")


def instructions(who: str, what: str) -> int:
    """The instructions of one call."""
    return (_run(who, what, CALLS) - _run(who, what, 0)) // CALLS


def _run(who: str, what: str, calls: int) -> int:
    command = [
        *("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"),
        *(sys.executable, "-m", "benchmarks.servers.in_process", who, what, str(calls)),
    ]
    environment = {**clean_environment(), "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    counted = _COUNTED.search(done.stderr)
    if done.returncode or counted is None:
        raise RuntimeError(done.stderr[-2000:])
    return int(counted[1])


def main() -> None:
    """Count and show."""
    if shutil.which("valgrind") is None:
        sys.exit("valgrind is not installed")
    print("| | thousand instructions | : floor |\n|---|---:|---:|")
    floor = instructions("floor", questions.MODERN)
    for what in (questions.MODERN, questions.HANDSHAKE, "action"):
        for name, who in SUBJECTS.items():
            if what == questions.MODERN or who in {"bare", "everything"} or (who, what) == ("official", "2025-11-25"):
                found = floor if who == "floor" else instructions(who, what)
                print(f"| {name}, {what} | {found / 1000:,.0f} | {found / floor:.2f} |", flush=True)


if __name__ == "__main__":
    main()
