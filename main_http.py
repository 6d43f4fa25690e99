"""Serve over HTTP: `python main_http.py`, or `uvicorn main_http:app`. What can be set stands in `.env.example`."""

from pathlib import Path

from mcp_server.serving import configured_app, serve

DOTENV = Path(__file__).with_name(".env")

if __name__ == "__main__":
    serve(dotenv=DOTENV)
elif __name__ != "__mp_main__":  # the name of this file in workers, which have their application from `serve`
    app = configured_app(dotenv=DOTENV)
