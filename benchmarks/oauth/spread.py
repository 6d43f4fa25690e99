"""Many measurements in four numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Spread:
    """Microseconds."""

    count: int = 0
    mean: float = 0.0
    median: float = 0.0
    p99: float = 0.0
    most: float = 0.0

    @classmethod
    def of(cls, nanoseconds: Sequence[int]) -> Self:
        """The spread of measurements in nanoseconds."""
        ordered = sorted(nanoseconds)
        last = len(ordered) - 1
        return cls(
            len(ordered),
            sum(ordered) / len(ordered) / 1000,
            ordered[last // 2] / 1000,
            ordered[last * 99 // 100] / 1000,
            ordered[last] / 1000,
        )
