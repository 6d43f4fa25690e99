"""The stacks with a login, without containers: the programs with what the compose files set, and what is in front."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import uuid
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from documents import STRONG, compose
from psycopg import sql
from served import PATIENCE, ROOT, served, several
from test_deploy_nginx import nginx
from test_deploy_together import redis
from visiting import Visit, Way

from tests.certificates import self_signed
from tests.oauth.login.login_house import PASSWORD
from tests.store_backends import POSTGRES

DOMAIN = "0123456789abcdef-8100.dstack-prod5.phala.network"
OF_THE_GUIDE = {"PROXY_HOST": "127.0.0.1", "MCP_HOST": "127.0.0.1", "PROXY_PORT": "8100", "MCP_PORT": "8201"}
GATEWAY = """\
server {
    listen PORT ssl;
    ssl_certificate CERTIFICATE;
    ssl_certificate_key KEY;

    location / {
        proxy_pass http://127.0.0.1:UPSTREAM;
        proxy_set_header Host $http_host;
        proxy_buffering off;
    }
}
"""
"""What dstack's gateway does, which ends TLS and says nothing of that: no header is added."""


def command_of(service: dict[str, Any]) -> list[str]:
    """The command of a service; compose writes a dollar sign that is the shell's own as two."""
    return [word.replace("$$", "$") for word in service["command"]]


def environment_of(service: dict[str, Any], **here: str) -> dict[str, str]:
    """What a service is given, but for what a container has of its own: an address and a port."""
    return {
        name: value for name, value in {**service["environment"], "HOST": "127.0.0.1", **here}.items() if name != "PORT"
    }


def run(command: list[str], environment: dict[str, str], typed: str = "") -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"
    return subprocess.run(
        command,
        cwd=ROOT,
        env={"PATH": path, **environment},
        input=typed,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


# -- dstack: one container, a file, and a gateway that adds no header ------------------------------------------------


@pytest.fixture
def stack(tmp_path: Path) -> dict[str, Any]:
    """The services of dstack's file, whose volume is a directory of this test."""
    given = {"DOMAIN": DOMAIN, "MCP_IMAGE": "x@sha256:0", "SESSION_SECRET": STRONG}
    login = {"LOGIN_NAME": "anna", "LOGIN_PASSWORD": PASSWORD}
    services = compose("dstack/docker-compose.oauth.yml", **given, **login)["services"]
    for service in services.values():
        service["environment"]["DATA_DIR"] = str(tmp_path / "data")
    return services


def account(stack: dict[str, Any], password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
    """What the container does that makes the account."""
    service = stack["account"]
    return run(command_of(service), {**service["environment"], "LOGIN_PASSWORD": password})


@contextmanager
def gateway(directory: Path, upstream: int) -> Generator[Way]:
    """A way to the domain, through something that ends TLS and adds no header."""
    trusted = ssl.create_default_context(cafile=str(self_signed(directory, DOMAIN)[0]))
    site = GATEWAY.replace("UPSTREAM", str(upstream))
    for name, file in (("CERTIFICATE", "certificate.pem"), ("KEY", "key.pem")):
        site = site.replace(name, str(directory / file))
    with nginx(directory, site) as front:
        yield Way(DOMAIN, [front.port], trusted)


def test_dstack_with_a_login_from_a_401_to_a_tool(stack: dict[str, Any], tmp_path: Path) -> None:
    for typed in ("the password of before", PASSWORD):  # the one that is set last counts
        made = account(stack, typed)
        assert made.returncode == 0, made.stderr
    environment = environment_of(stack["mcp"])
    with served(command_of(stack["mcp"]), **environment) as server, gateway(tmp_path, server.port) as way:
        visit = Visit(way)
        visit.discover()
        visit.register()
        tokens = visit.sign_in("anna")
        assert "output" in visit.found(tokens["access_token"])
    # What is in the volume is there after an update.
    assert account(stack).returncode == 0
    with served(command_of(stack["mcp"]), **environment) as server, gateway(tmp_path, server.port) as way:
        visit = Visit(way, visit.metadata, visit.client_id)
        assert "output" in visit.found(tokens["access_token"])
        fresh = visit.refresh(tokens["refresh_token"])
        assert "output" in visit.found(visit.sign_in("anna")["access_token"])
        visit.revoke(fresh["refresh_token"])
        assert visit.call(fresh["access_token"]).status_code == 401


def test_a_header_that_a_stranger_makes_up_changes_no_address(stack: dict[str, Any], tmp_path: Path) -> None:
    environment = environment_of(stack["mcp"])
    with served(command_of(stack["mcp"]), **environment) as server, gateway(tmp_path, server.port) as way:
        lies = {"x-forwarded-host": "evil.example", "x-forwarded-proto": "http", "forwarded": "host=evil.example"}
        visit = Visit(way)
        visit.http.headers.update(lies)
        visit.discover()
        refused = visit.http.post(f"{visit.url}/mcp", json={}, headers={"host": "evil.example"})
        assert "evil.example" not in refused.text + str(refused.headers)


def test_a_password_that_will_not_do_keeps_dstack_from_starting(stack: dict[str, Any]) -> None:
    refused = account(stack, "short")
    assert refused.returncode == 1
    assert "12 characters" in refused.stderr
    listed = run([sys.executable, "-m", "mcp_server", "users", "list"], stack["account"]["environment"])
    assert "There are no users" in listed.stdout


def test_the_ports_of_the_guide_are_one_port(stack: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from mcp_server.settings import load_settings

    environment = environment_of(stack["mcp"], HOST="", **OF_THE_GUIDE)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert (settings.host, settings.port, settings.public_url) == ("127.0.0.1", 8100, f"https://{DOMAIN}")


# -- compose.oauth.yaml: PostgreSQL and Redis ------------------------------------------------------------------------


@pytest.fixture
def database() -> Iterator[dict[str, str]]:
    """A database of PostgreSQL and a user whose it is."""
    name = f"test_{uuid.uuid4().hex}"
    try:
        connection = psycopg.connect(POSTGRES, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError:
        if os.environ.get("MCP_REQUIRE_SERVICES"):
            pytest.fail("no PostgreSQL at 127.0.0.1:5432")
        pytest.skip("no PostgreSQL at 127.0.0.1:5432")
    with connection:
        this = sql.Identifier(name)
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(this, sql.Literal("p@ss/word")))
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(this, this))
        try:
            yield {"DB_HOST": "127.0.0.1", "DB_NAME": name, "DB_USER": name, "DB_PASSWORD": "p@ss/word"}
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(this))
            connection.execute(sql.SQL("DROP ROLE {}").format(this))


def test_the_stack_with_postgres_and_redis_from_a_401_to_a_tool(database: dict[str, str], tmp_path: Path) -> None:
    """Each request reaches another process than the one before, in clear, as from what ends TLS."""
    secrets = dict.fromkeys(("SESSION_SECRET", "POSTGRES_PASSWORD", "REDIS_PASSWORD"), STRONG)
    service = compose("compose.oauth.yaml", DOMAIN="mcp.example.com", **secrets)["services"]["mcp"]
    with redis(tmp_path, "p@ss/word") as port:
        here = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(port), "REDIS_PASSWORD": "p@ss/word"}
        environment = environment_of(service, **here, **database)
        add = [sys.executable, "-m", "mcp_server", "users", "add", "anna", "--password-stdin"]
        added = run(add, environment, f"{PASSWORD}\n")
        assert added.returncode == 0, added.stderr
        with several(2, **environment) as servers:
            visit = Visit(Way("mcp.example.com", [each.port for each in servers]))
            visit.discover()
            visit.register()
            tokens = visit.sign_in("anna")
            for _ in servers:
                assert "output" in visit.found(tokens["access_token"])
            fresh = visit.refresh(tokens["refresh_token"])
            for _ in servers:
                assert "output" in visit.found(fresh["access_token"])
        with served(**environment, WORKERS="2", OAUTH_REVOCATION_DELAY="0") as server:
            again = Visit(Way("mcp.example.com", [server.port]), visit.metadata, visit.client_id)
            assert all("output" in again.found(fresh["access_token"]) for _ in range(8))
            assert "output" in again.found(again.sign_in("anna")["access_token"])
            again.revoke(fresh["refresh_token"])
            assert {again.call(fresh["access_token"]).status_code for _ in range(8)} == {401}
