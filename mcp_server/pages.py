"""What a person or a program finds at `/`: which server this is, and how to connect to it."""

from __future__ import annotations

from html import escape
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from mcp_server.engine.service import Description
from mcp_server.protocol.versions import ALL_VERSIONS

ENDPOINTS: Final = {
    "/mcp": "MCP over Streamable HTTP, every version; also {“action”: …} for curl",
    "/mcp/sse": "The same as event streams; GET opens the transport of 2024-11-05",
    "/health": "Whether the process is alive",
    "/ready": "Whether it wants requests",
}

_SECURITY: Final = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}

_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}</title>
<style>
:root {{ color-scheme: light dark; --line: #8884; --soft: #8881; }}
body {{ font: 16px/1.6 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1.25rem; }}
h1 {{ margin: 0; font-size: 1.7rem; }} h2 {{ font-size: 1.05rem; margin: 2.2rem 0 .5rem; }}
p.about {{ margin: .3rem 0 0; opacity: .75; }}
table {{ border-collapse: collapse; width: 100%; }}
td {{ padding: .45rem .6rem .45rem 0; border-top: 1px solid var(--line); vertical-align: top; }}
code, pre {{ font: .88em/1.5 ui-monospace, monospace; }}
pre {{ background: var(--soft); border: 1px solid var(--line); border-radius: 6px; padding: .8rem 1rem; }}
pre {{ overflow-x: auto; }}
</style>
<h1>{name}</h1>
<p class="about">{about}</p>
<h2>Endpoints</h2>
<table>{rows}</table>
<h2>Connect</h2>
<p>In Claude, ChatGPT, Cursor, VS Code or any other MCP client, add this address:</p>
<pre>{url}/mcp</pre>
<p>Or ask for the tools from a shell:</p>
<pre>curl -X POST {url}/mcp \\
  -H "Content-Type: application/json" \\
  -H "Authorization: Bearer $MCP_API_KEY" \\
  -d '{{"action": "list_tools"}}'</pre>
<p class="about">Speaks MCP {versions}.</p>
</html>
"""


def front_page(request: Request, description: Description, public_url: str | None) -> Response:
    """The page for whoever asks: HTML for a browser, JSON for a program."""
    info = description.server_info
    url = public_url or str(request.base_url).rstrip("/")
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse(_facts(info, url), headers={"cache-control": "no-store"})
    rows = "".join(
        f"<tr><td><code>{escape(path)}</code></td><td>{escape(text)}</td></tr>" for path, text in ENDPOINTS.items()
    )
    page = _PAGE.format(
        name=escape(info.get("title") or info["name"]),
        about=escape(info.get("description") or "An MCP server: tools, resources and prompts for language models."),
        rows=rows,
        url=escape(url),
        versions=", ".join(reversed(ALL_VERSIONS)),
    )
    return HTMLResponse(page, headers=_SECURITY)


def _facts(info: Any, url: str) -> dict[str, Any]:
    return {
        "name": info["name"],
        "protocol": "Model Context Protocol",
        "versions": list(reversed(ALL_VERSIONS)),
        "endpoints": {"mcp": f"{url}/mcp", "sse": f"{url}/mcp/sse", "health": f"{url}/health"},
    }
