"""The five versions of MCP that we serve, and what each of them has.

Versions are an enumerated list, oldest first, never strings to be compared: a version nobody knows must not
sort between two that we do.
"""

from __future__ import annotations

from typing import Final

V2024_11_05: Final = "2024-11-05"
V2025_03_26: Final = "2025-03-26"
V2025_06_18: Final = "2025-06-18"
V2025_11_25: Final = "2025-11-25"
V2026_07_28: Final = "2026-07-28"

LEGACY_VERSIONS: Final = (V2024_11_05, V2025_03_26, V2025_06_18, V2025_11_25)
"""Versions that begin with an `initialize` handshake."""

MODERN_VERSIONS: Final = (V2026_07_28,)
"""Versions in which every request carries its own version, capabilities and identity."""

ALL_VERSIONS: Final = LEGACY_VERSIONS + MODERN_VERSIONS

NEWEST: Final = V2026_07_28
NEWEST_LEGACY: Final = V2025_11_25

UNSTATED: Final = V2025_03_26
"""What a legacy request without a handshake or a version header is taken to speak."""

_AGE: Final = {version: age for age, version in enumerate(ALL_VERSIONS)}


def at_least(version: str, minimum: str) -> bool:
    """Whether `version` is `minimum` or newer; both must be versions that we serve."""
    return _AGE[version] >= _AGE[minimum]
