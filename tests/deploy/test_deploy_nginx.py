"""A real nginx in front of the real server, with guide 002's file and with ours."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from programs import needed
from served import PATIENCE, ROOT, Site, encoded, free_port, rpc, served, several

STREAMING = str(Path(__file__).with_name("streaming_server.py")) + ":server"
SECRETS = {"SESSION_SECRET": "a-secret-for-the-tests-with-more-than-32-characters"}
OURS = (ROOT / "deploy/nginx/mcp-server.conf").read_text(encoding="utf-8")
SCALED = (ROOT / "deploy/nginx/scaled.conf").read_text(encoding="utf-8")
OF_THE_GUIDE = """\
server {
    listen 80;
    server_name api.yourdomain.com;

    location / {
        proxy_pass http://127.0.0.1:8000;
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
    }
}
"""
_ALONE = """\
{user}
daemon off;
pid {directory}/pid;
error_log stderr warn;
worker_processes 1;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
{site}
}}
"""


@contextmanager
def nginx(directory: Path, site: str) -> Generator[Site]:
    """A nginx with one site, which listens where the text says PORT."""
    program, port = needed("nginx"), free_port()
    user = "user root;" if os.getuid() == 0 else ""
    text = _ALONE.format(user=user, directory=directory, site=site.replace("PORT", f"127.0.0.1:{port}"))
    file = directory / "nginx.conf"
    file.write_text(text, encoding="utf-8")
    command = [program, "-p", str(directory), "-e", "stderr", "-c", str(file)]
    # Tests itself, and creates its directories; what follows only fails where this does.
    subprocess.run([*command, "-t"], check=True, capture_output=True, timeout=PATIENCE)
    child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield _listening(Site(port), child)
    finally:
        child.terminate()
        child.wait(PATIENCE)


def _listening(site: Site, child: subprocess.Popen[bytes]) -> Site:
    """The site, once it accepts: nginx says nothing when it does."""
    for _ in range(1000):
        try:
            connection = site.open()
            connection.connect()
        except ConnectionRefusedError:
            with pytest.raises(subprocess.TimeoutExpired):  # unless it has ended, which would be why
                child.wait(0.01)
        else:
            connection.close()
            return site
    raise TimeoutError


def ported(text: str, *upstreams: Site) -> str:
    """A site as it is written, but for its two ports."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.strip() == "server mcp:8000 resolve max_fails=2 fail_timeout=5s;":
            lines += [f"server 127.0.0.1:{each.port};" for each in upstreams]
        elif not line.strip().startswith("listen [::]"):
            lines.append(line.replace("127.0.0.1:8000", f"127.0.0.1:{upstreams[0].port}"))
    found = "\n".join(lines)
    return found.replace("listen 80;", "listen PORT;").replace("listen 8080;", "listen PORT;")


@pytest.fixture(scope="module")
def streaming() -> Iterator[Site]:
    needed("nginx")
    with served(MCP_APP=STREAMING) as site:
        yield site


@pytest.mark.parametrize("text", [OF_THE_GUIDE, OURS, SCALED], ids=["guide 002", "ours", "scaled"])
@pytest.mark.parametrize("path", ["/mcp", "/mcp/sse"])
def test_an_event_arrives_before_its_call_has_ended(text: str, path: str, tmp_path: Path) -> None:
    needed("nginx")
    call = rpc("tools/call", name="announce", arguments={}, _meta={"progressToken": 7})
    with served(MCP_APP=STREAMING) as server, nginx(tmp_path, ported(text, server)) as front:
        connection = front.open()
        connection.request("POST", path, *encoded(call, {"Accept": "application/json, text/event-stream"}))
        response = connection.getresponse()
        early = response.readline() + response.readline()
        assert b"notifications/progress" in early
        assert front.ask("POST", "/mcp", {"action": "call_tool", "name": "release"}).status == 200
        assert b'"text":"done"' in response.read()
        connection.close()


@pytest.mark.parametrize("text", [OF_THE_GUIDE, OURS, SCALED], ids=["guide 002", "ours", "scaled"])
def test_a_request_for_the_domain_is_answered_through_the_proxy(text: str, streaming: Site, tmp_path: Path) -> None:
    with nginx(tmp_path, ported(text, streaming)) as front:
        answer = front.ask("POST", "/mcp", {"action": "list_tools"}, Host="api.yourdomain.com")
    assert (answer.status, len(answer.json["tools"])) == (200, 2)


@pytest.mark.parametrize("text", [OURS, SCALED], ids=["ours", "scaled"])
def test_json_is_compressed(text: str, streaming: Site, tmp_path: Path) -> None:
    with nginx(tmp_path, ported(text, streaming)) as front:
        answer = front.ask("POST", "/mcp", {"action": "list_tools"}, Accept_Encoding="gzip")
    assert answer.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("text", [OURS, SCALED], ids=["ours", "scaled"])
def test_events_are_not_compressed(text: str, streaming: Site, tmp_path: Path) -> None:
    with nginx(tmp_path, ported(text, streaming)) as front:
        answer = front.ask("POST", "/mcp/sse", rpc("ping"), Accept_Encoding="gzip")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize("text", [OURS, SCALED], ids=["ours", "scaled"])
def test_metrics_stay_inside(text: str, streaming: Site, tmp_path: Path) -> None:
    with nginx(tmp_path, ported(text, streaming)) as front:
        assert front.ask("GET", "/metrics").status == 404


@pytest.mark.parametrize("text", [OF_THE_GUIDE, OURS], ids=["guide 002", "ours"])
def test_an_invented_forwarding_header_changes_nothing(text: str, tmp_path: Path) -> None:
    needed("nginx")
    with served(RATE_LIMIT="2/hour") as server, nginx(tmp_path, ported(text, server)) as front:
        stranger = replace(front, source="127.0.0.2")
        claims = [{"Authorization": "Bearer wrong", "X-Forwarded-For": f"198.51.100.{n}"} for n in range(4)]
        statuses = [stranger.ask("POST", "/mcp", {"action": "list_tools"}, **claim).status for claim in claims]
    assert statuses == [401, 401, 429, 429]


def test_several_processes_understand_the_sessions_of_each_other(tmp_path: Path) -> None:
    needed("nginx")
    hello = rpc(
        "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "test", "version": "1"}
    )
    with several(3, **SECRETS) as servers, nginx(tmp_path, ported(SCALED, *servers)) as front:
        session = front.ask("POST", "/mcp", hello).headers["mcp-session-id"]
        pings = [each.ask("POST", "/mcp", rpc("ping"), mcp_session_id=session) for each in servers]
    assert [ping.status for ping in pings] == [200, 200, 200]


def test_the_transport_of_2024_11_05_works_behind_several_processes(tmp_path: Path) -> None:
    needed("nginx")
    with several(3, **SECRETS) as servers, nginx(tmp_path, ported(SCALED, *servers)) as front:
        connection = front.open()
        connection.request("GET", "/mcp/sse", *encoded(None, {"Accept": "text/event-stream"}))
        response = connection.getresponse()
        assert response.readline().strip() == b"event: endpoint"
        place = response.readline().decode().removeprefix("data:").strip()
        assert front.ask("POST", place, rpc("ping", 5)).status == 202
        heard = b"".join(response.readline() for _ in range(4))
        assert b'"id":5' in heard
        connection.close()
