"""Prints `.env.example`."""

from __future__ import annotations

import sys

from mcp_server.settings.example import example
from mcp_server.settings.model import Settings

sys.stdout.write(example(Settings))
