"""The steps of `docs/connectors.md` lead to a server that clients can find their way into."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from generate import ROOT
from programs import needed
from served import PATIENCE, served

from mcp_server.settings.dotenv import read_dotenv

PAGE = (ROOT / "docs" / "connectors.md").read_text(encoding="utf-8")
PUBLIC = "https://mcp.example.com"
TOTP_KEY = "what-openssl-makes-by-the-line-of-the-page"
_WITHOUT_A_PERSON = {"users add": ["--password-stdin"], "users totp": ["--unconfirmed"]}


def step(name: str) -> str:
    """The snippet of a step."""
    [found] = re.findall(rf"<!-- login: {name} -->\n```\w+\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return found


def operator(line: str, store: str) -> str:
    """What a command of the page prints, without anybody at the keyboard."""
    words = shlex.split(line)[1:]
    words += _WITHOUT_A_PERSON.get(" ".join(words[:2]), []) if "--off" not in words else []
    ran = subprocess.run(
        [sys.executable, "-m", "mcp_server", *words],
        cwd=ROOT, env={"PATH": os.environ["PATH"], "STORE_URL": store, "OAUTH_TOTP_KEY": TOTP_KEY},
        input="correct horse battery staple", capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, line + ran.stderr
    return ran.stdout


def test_the_steps_lead_to_a_server_that_shows_the_way_to_its_login(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'store.db'}"
    (tmp_path / ".env").write_text(step("settings"))
    settings = read_dotenv(tmp_path / ".env", set()).values
    for line in step("accounts").splitlines():
        operator(line, store)
    assert "password and code" in operator("mcp-server users list", store)
    with served(**settings, MCP_API_KEY="", STORE_URL=store) as site:
        first, second = (
            subprocess.run(
                [needed("curl"), "-H", "Host: mcp.example.com", *shlex.split(line.replace(PUBLIC, site.url))[1:]],
                capture_output=True, text=True, timeout=PATIENCE, check=True,
            ).stdout
            for line in step("look").splitlines()
        )  # fmt: skip
    assert " 401 " in first.splitlines()[0]
    assert f'resource_metadata="{PUBLIC}/.well-known/oauth-protected-resource/mcp"' in first
    assert json.loads(second)["resource"] == f"{PUBLIC}/mcp"


def test_the_commands_of_the_page_can_be_run_one_after_another(tmp_path: Path) -> None:
    lines = re.findall(r"^mcp-server (?:users|clients|tokens) .*$", PAGE, re.MULTILINE)
    assert len(lines) >= 9
    for line in lines:
        operator(line, f"sqlite:///{tmp_path / 'store.db'}")


def test_what_a_person_may_read_is_what_the_pages_say() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "mcp_server").rglob("*.py"))
    quoted = re.findall(r"^\| “([^”]+)”", PAGE, re.MULTILINE)
    assert len(quoted) >= 7
    assert [text for text in quoted if text not in source] == []
