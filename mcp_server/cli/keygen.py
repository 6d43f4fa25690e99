"""`mcp-server keygen`: a key that nobody guesses."""

from __future__ import annotations

import secrets
from typing import Final

import click

_BYTES: Final = 32


@click.command("keygen")
@click.option("--env", is_flag=True, help="Print it as a line for a .env file.")
def command(*, env: bool) -> None:
    """Make a key for MCP_API_KEY: 64 random characters."""
    key = secrets.token_hex(_BYTES)
    click.echo(f"MCP_API_KEY={key}" if env else key)
