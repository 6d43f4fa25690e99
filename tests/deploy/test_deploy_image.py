"""The image: the guide's lines, nothing secret, nobody's root."""

from __future__ import annotations

import fnmatch
import re

import pytest
from documents import load
from served import ROOT

OF_THE_GUIDE = [
    "FROM python:3.11-slim",
    "WORKDIR /app",
    "COPY requirements.txt .",
    "RUN pip install --no-cache-dir -r requirements.txt",
    "COPY . .",
    "EXPOSE 8000",
    'CMD ["uvicorn", "main_http:app", "--host", "0.0.0.0", "--port", "8000"]',
]
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
LINES = [line for line in TEXT.replace("\\\n", "").splitlines() if line and not line.startswith("#")]
IGNORED = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line and line[0] != "#"]


def ignored(path: str) -> bool:
    """Whether docker leaves this path out, by a pattern for it or for a directory above it."""
    parts = path.split("/")
    places = ["/".join(parts[: end + 1]) for end in range(len(parts))]
    return any(_matches(pattern, place) for pattern in IGNORED for place in places)


def _matches(pattern: str, place: str) -> bool:
    anywhere = pattern.removeprefix("**/")
    if anywhere != pattern:
        return fnmatch.fnmatch(place.rpartition("/")[2], anywhere)
    return "/" not in place and fnmatch.fnmatch(place, pattern)


def test_the_lines_of_the_guide_are_there_in_their_order() -> None:
    assert [line for line in LINES if line in OF_THE_GUIDE] == OF_THE_GUIDE


def test_the_server_does_not_run_as_root() -> None:
    users = [line.partition(" ")[2] for line in LINES if line.startswith("USER ")]
    assert len(users) == 1
    assert int(users[0]) > 0


def test_who_it_runs_as_can_write_a_volume_where_the_compose_files_have_one() -> None:
    """A new volume takes its owner from the directory of the image, and without one it is root's."""
    user = next(line.partition(" ")[2] for line in LINES if line.startswith("USER "))
    at = {mount.partition(":")[2] for mount in load("dstack/docker-compose.oauth.yml")["services"]["mcp"]["volumes"]}
    assert [path for path in at if f"install -d -o {user} -m 700 {path}" not in TEXT] == []


def test_the_image_is_watched_without_a_program_that_it_lacks() -> None:
    check = next(line for line in LINES if line.startswith("HEALTHCHECK "))
    assert "CMD python -c " in check
    assert "127.0.0.1:${PORT:-8000}/health" in check


def test_nothing_is_copied_but_the_code_and_its_requirements() -> None:
    assert [line for line in LINES if re.match("COPY|ADD", line)] == ["COPY requirements.txt .", "COPY . ."]


def test_no_secret_is_built_in() -> None:
    assert [line for line in LINES if re.search(r"^(ENV|ARG).*(KEY|SECRET|TOKEN|PASSWORD)", line)] == []


@pytest.mark.parametrize(
    "path",
    [".env", ".env.production", "shop/.env", "tls/server.key", "tls/server.pem", ".git/config", "data/items.sqlite3"],
)
def test_what_is_secret_stays_outside(path: str) -> None:
    assert ignored(path)


@pytest.mark.parametrize(
    "path", ["tests/served.py", ".venv/bin/python", "docs/index.md", "mcp_server/x/__pycache__/a.pyc"]
)
def test_what_is_not_needed_stays_outside(path: str) -> None:
    assert ignored(path)


def test_what_the_server_is_made_of_comes_along() -> None:
    package = [
        str(path.relative_to(ROOT)) for path in (ROOT / "mcp_server").rglob("*") if "__pycache__" not in str(path)
    ]
    needed = ["requirements.txt", "main.py", "main_http.py", *package]
    assert [path for path in needed if ignored(path)] == []
