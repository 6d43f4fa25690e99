"""What becomes of memory that has been used once: kept, for the next answer of that size.

The C library gives a block of some hundred kilobytes back to the system as soon as it is free, and the system clears
each page of it anew when it is asked for the next one. An answer of a megabyte is made in some five of them, which
costs four times as much as all the work on it. So the process keeps up to `KEPT` bytes of what it has freed. That is
for the event loop; threads that make large answers at the same time have heaps of their own, which keep as much each.

An operator who says otherwise, by a `MALLOC_…` variable, by `GLIBC_TUNABLES` or by another library for memory, has the
last word.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Final

KEPT: Final = 16 * 1024 * 1024
"""How much freed memory a process keeps, and how large a block may be that is taken from it."""

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
"""What `mallopt` calls the two, in glibc's `malloc.h`."""


def keep_freed_memory() -> bool:
    """Have this process keep some of the memory it frees; false where it cannot be told to, or was told already."""
    if not sys.platform.startswith("linux") or _is_chosen():
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(_TRIM_THRESHOLD, KEPT) and mallopt(_MMAP_THRESHOLD, KEPT))


def _is_chosen() -> bool:
    """Whether the operator has said how memory is to be dealt with."""
    return any(name.startswith("MALLOC_") for name in os.environ) or "glibc.malloc." in os.environ.get(
        "GLIBC_TUNABLES", ""
    )
