"""Nothing secret, and nothing of the machine it was written on, is in the repository."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[1]
SHAPES = {
    "private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{32}",
    "OpenAI or Anthropic key": r"\bsk-(?:proj-|ant-)?(?!your-)[A-Za-z0-9_-]{24,}",
    "AWS key id": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{40,})",
    "GitLab token": r"\bglpat-[\w-]{20}",
    "Slack token": r"\bxox[abprs]-[\w-]{10,}",
    "Google key": r"\bAIza[\w-]{35}",
    "Fly token": r"\bFlyV1 fm\d_",
    "DigitalOcean token": r"\bdop_v1_[0-9a-f]{64}",
    "signed token": r"\beyJhbGciOi[\w-]+\.eyJ[\w-]+\.[\w-]{20,}",
}
SET_TO = re.compile(
    r"(?im)^\s*(?:export\s+)?[\w.-]*(?:key|secret|token|password)\s*[:=]\s*[\"']?([\w+/=-]{20,})[\"']?\s*$"
)
IN_WORDS = re.compile(r"(?:[a-z]+|\d{1,3})(?:[-_](?:[a-z]+|\d{1,3}))+", re.IGNORECASE)
IN_A_URL = re.compile(r"\b(?:postgres(?:ql)?|mysql|amqp|mongodb|rediss?)://[\w.-]*:([^\s@/{}\"']+)@")
_ENDS = "_" + "API" + "_KEY"
OF_OTHERS = ["GOHIGHLEVEL" + _ENDS, "GODADDY" + _ENDS, "DIGITALOCEAN" + "_API_TOKEN"]


@cache
def files() -> dict[str, str]:
    """What is, or would be, committed, as far as it is text."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no checkout of the repository")
    found: dict[str, str] = {}
    for name in filter(None, listed):
        path = ROOT / name
        if path.is_file():
            found[name] = path.read_bytes().decode(errors="replace")
    return found


def entropy(text: str) -> float:
    """How many bits a character holds, as far as the characters themselves tell."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())


def machine_paths() -> Iterator[str]:
    """Where this checkout, this Python and this user live, unless it is a place that any machine has."""
    for path in (ROOT, Path(sys.prefix), Path.home(), Path(sys.base_prefix)):
        if len(path.parts) > 2 and not str(path).startswith("/usr"):
            yield str(path)


def registry_hosts() -> set[str]:
    """The package registries that this machine is set up with, but for the public one."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    urls: list[str] = re.findall(r"https?://[^\s'\"]+", listed)
    hosts = {urlsplit(url).hostname for url in urls}
    return {host for host in hosts if host and not host.endswith(("pypi.org", "localhost"))}


@pytest.mark.parametrize("kind", SHAPES)
def test_nothing_has_the_shape_of_a_key(kind: str) -> None:
    assert [name for name, text in files().items() if re.search(SHAPES[kind], text)] == []


def test_no_key_is_set_to_something_random() -> None:
    found = [(name, value) for name, text in files().items() for value in SET_TO.findall(text)]
    random = [(name, value) for name, value in found if entropy(value) > 3.5 and not IN_WORDS.fullmatch(value)]
    assert [name for name, _ in random if not re.search(r"tests/.*\.py$", name)] == []


def test_no_address_holds_a_password() -> None:
    found = [(name, word) for name, text in files().items() for word in IN_A_URL.findall(text)]
    assert [each for each in found if each[1] != "PASSWORD" and not re.search(r"tests/.*\.py$", each[0])] == []


def test_no_file_for_secrets_is_committed() -> None:
    names = [Path(name).name for name in files()]
    assert [name for name in names if name == ".env" or name.endswith((".pem", ".key", ".p12"))] == []


@pytest.mark.parametrize("identifier", OF_OTHERS)
def test_nothing_belongs_to_the_author_of_a_guide(identifier: str) -> None:
    assert [name for name, text in files().items() if identifier in text] == []


def test_no_path_of_this_machine_is_written_down() -> None:
    paths = set(machine_paths())
    assert [(name, path) for name, text in files().items() for path in paths if path in text] == []


def test_no_registry_of_this_machine_is_written_down() -> None:
    hosts = registry_hosts()
    assert [(name, host) for name, text in files().items() for host in hosts if host in text] == []


@pytest.mark.parametrize("kind", ["AWS key id", "GitHub token", "Slack token"])
def test_the_shapes_recognise_what_they_are_for(kind: str) -> None:
    made = {"AWS key id": "AKIA" + "A1" * 8, "GitHub token": "ghp_" + "a1" * 18, "Slack token": "xoxb-" + "1" * 12}
    assert re.search(SHAPES[kind], made[kind])
