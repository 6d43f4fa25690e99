"""Paths a guard lets pass."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Any


class Paths:
    """A set of paths: exact ones, and prefixes written as `/.well-known/*`."""

    def __init__(self, patterns: Iterable[str]) -> None:
        patterns = tuple(patterns)
        if any(not pattern.startswith("/") for pattern in patterns):
            msg = "a path starts with '/'"
            raise ValueError(msg)
        self._exact = frozenset(pattern for pattern in patterns if not pattern.endswith("*"))
        self._prefixes = tuple(pattern[:-1] for pattern in patterns if pattern.endswith("*"))

    def match(self, scope: MutableMapping[str, Any]) -> bool:
        """Whether the request's path, seen from where the application is mounted, is one of these."""
        path: str = scope["path"]
        root: str = scope.get("root_path", "")
        if root and path.startswith(root + "/"):
            path = path[len(root) :]
        return path in self._exact or (bool(self._prefixes) and path.startswith(self._prefixes))
