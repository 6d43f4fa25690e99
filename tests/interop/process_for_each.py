"""Stands in for a server on stdio and has each request answered by a new process: `process_for_each.py COMMAND ARG...`.

No version but the newest would survive that, as no other lets a request stand alone.
"""

from __future__ import annotations

import json
import subprocess
import sys


def main() -> None:
    """Pass on one line at a time, and the one that comes back."""
    for line in sys.stdin:
        if "id" not in json.loads(line):
            continue
        with subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(line)
            child.stdin.flush()
            print(child.stdout.readline(), end="", flush=True)


if __name__ == "__main__":
    main()
