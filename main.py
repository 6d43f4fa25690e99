"""Serve over standard input and output: `python main.py`, as Claude Desktop, Cursor and others start it."""

import sys

from mcp_server.app import AppNotFound, load_server, read_dotenv_beside

if __name__ == "__main__":
    read_dotenv_beside(__file__)
    try:
        server = load_server()
    except AppNotFound as error:
        sys.exit(str(error))
    server.run()
