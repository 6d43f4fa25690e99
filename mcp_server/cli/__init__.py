"""The `mcp-server` command: try a server, serve it, and make it known to the programs that use it.

    targets      what a TARGET is, and a session with it ── local (in this process), remote (the official client)
    run          serve it
    tools, call, inspect, doctor
                 ask it ── schemas, arguments, printing
    install      write it into a host's configuration ── hosts, entries, config_text, masking
    new, keygen  begin
    tokens, clients
                 what people have allowed, and to whom ── kept
    users        who can sign in

A command's module is cheap to import: what costs time is imported by the function that needs it, so that `--help`
answers at once. What a user can mend is a `Problem`, which is told in a line and what to do next.
"""

from __future__ import annotations

import click

from mcp_server import __version__
from mcp_server.cli import call, clients, doctor, inspect, install, keygen, new, run, tokens, tools, users


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mcp-server")
def main() -> None:
    """Build, try and serve MCP servers.

    \b
    A TARGET says which server:
      package.module:name     a server in a module
      path/to/file.py:name    a server in a file
      https://host/mcp        a server at a URL
      -- command args         a server that is a program, at the very end
    Without one it is MCP_APP, or else the sample.
    """  # noqa: D301 - this mark keeps click from filling the paragraph


for _each in (new, run, tools, call, inspect, doctor, install, keygen, users, clients, tokens):
    main.add_command(_each.command)

__all__ = ["main"]
