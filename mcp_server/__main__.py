"""`python -m mcp_server` is `mcp-server`, for where scripts are not on the path."""

from mcp_server.cli import main

if __name__ == "__main__":
    main(prog_name="python -m mcp_server")
