"""The pages: their links lead somewhere, their snippets are what they claim to be."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from generate import ROOT, pages

from mcp_server.cli.hosts import HOSTS
from mcp_server.settings import checks

PAGES = [(str(page.relative_to(ROOT)), page.read_text(encoding="utf-8")) for page in pages()]
IDS = [name for name, _ in PAGES]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_FILE = re.compile(r"`((?:deploy|docs|examples|mcp_server|tests)/[\w./*-]+|Procfile|Dockerfile|[\w.]+\.toml)`")
_CONFIG = re.compile(r"<!-- host: ([\w-]+), (\w+) -->\n```json\n(.*?)```", re.DOTALL)
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "mcp_server").rglob("*.py")))
TROUBLES = re.findall(r"^### `(.*)`$", dict(PAGES)["docs/troubleshooting.md"], re.MULTILINE)


def blocks(language: str) -> Iterator[tuple[str, str]]:
    for name, text in PAGES:
        yield from ((name, body) for found, body in _FENCE.findall(text) if found == language)


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", _FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("name", "text"), PAGES, ids=IDS)
def test_every_link_leads_somewhere(name: str, text: str) -> None:
    lost: list[str] = []
    for link in _LINK.findall(_FENCE.sub("", text)):
        path, _, anchor = link.partition("#")
        if path.startswith(("https://", "http://")):
            continue
        target = (ROOT / name).parent / path if path else ROOT / name
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            lost.append(link)
    assert lost == []


@pytest.mark.parametrize(("name", "text"), PAGES, ids=IDS)
def test_every_file_that_is_named_is_there(name: str, text: str) -> None:
    named = [path for path in _FILE.findall(text) if path != "config.toml"]
    assert [path for path in named if not ((ROOT / path).exists() or (ROOT / "deploy" / path).exists())] == []


def test_every_page_is_on_the_map() -> None:
    index = dict(PAGES)["docs/index.md"]
    own = {str(Path(name).relative_to("docs")) for name in IDS if name.startswith("docs/")} - {"index.md"}
    assert [page for page in own if f"({page})" not in index] == []


def test_every_python_snippet_compiles() -> None:
    for name, body in blocks("python"):
        compile(body, name, "exec")


def test_every_json_snippet_is_json() -> None:
    assert [json.loads(body) for _, body in blocks("json")]


def test_every_toml_snippet_is_toml() -> None:
    assert [tomllib.loads(body) for _, body in blocks("toml")]


@pytest.mark.parametrize(("name", "body"), list(blocks("bash")))
def test_a_shell_understands_every_shell_snippet(name: str, body: str) -> None:
    plain = re.sub(r"<[\w ]+>", "x", body).replace("…", "x")  # what the reader fills in
    run = subprocess.run(["bash", "-n"], input=plain, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize(("host", "kind", "body"), _CONFIG.findall(dict(PAGES)["docs/clients.md"]))
def test_a_configuration_is_the_one_that_the_command_writes(host: str, kind: str, body: str) -> None:
    written: Mapping[str, Any] = json.loads(body)
    (servers,) = written.keys()
    (entry,) = written[servers].values()
    chosen = HOSTS[host]
    if kind == "url":
        expected = chosen.for_url(entry["url"], entry["headers"])
    else:
        expected = chosen.for_program(entry["command"], entry["args"], entry.get("env", {}))
    assert (servers, entry) == (chosen.servers, expected)


def test_the_key_of_openai_stands_alone() -> None:
    snippets = [body for _, body in [*blocks("python"), *blocks("javascript")] if "server_url" in body]
    assert len(snippets) == 2
    assert [body for body in snippets if re.search(r"authorization\W+Bearer", body)] == []


@pytest.mark.parametrize("text", TROUBLES)
def test_a_heading_of_the_troubles_is_a_text_of_the_server(text: str) -> None:
    said = re.sub(r'"\s*\n\s*f?"', "", SOURCE)
    for name, value in vars(checks).items():
        said = said.replace(f"{{{name}}}", str(value))
    assert [part for part in re.split(r"\s*…\s*", text) if part not in said] == []


def test_the_two_commands_stand_in_the_readme() -> None:
    readme = dict(PAGES)["README.md"]
    make = "python3 -m venv .venv && .venv/bin/pip install -q"
    assert f"{make} . && .venv/bin/python main_http.py\n" in readme
    assert f"{make} -e '.[dev]' && .venv/bin/python -m pytest -q\n" in readme
