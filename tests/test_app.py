"""The `.env` beside an entry point, as `main.py` takes it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mcp_server.app import read_dotenv_beside


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    found = {"PORT": "9000"}
    monkeypatch.setattr(os, "environ", found)
    return found


def test_it_adds_what_the_environment_does_not_say(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / ".env").write_text("PORT=8000\nAPI_BASE_URL=https://example.com\nAPP_NAME=\n")
    read_dotenv_beside(str(tmp_path / "main.py"))
    assert environment["PORT"] == "9000"
    assert environment["API_BASE_URL"] == "https://example.com"
    assert "APP_NAME" not in environment


def test_a_line_that_is_not_understood_is_named(
    tmp_path: Path, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".env").write_text("API_KEY=secret  # mine\nAPP_NAME=shop\n")
    read_dotenv_beside(str(tmp_path / "main.py"))
    said = capsys.readouterr().err
    assert said.startswith(".env: API_KEY")
    assert "secret" not in said
    assert environment["APP_NAME"] == "shop"


def test_without_a_file_nothing_happens(tmp_path: Path, environment: dict[str, str]) -> None:
    before = dict(environment)
    read_dotenv_beside(str(tmp_path / "main.py"))
    assert environment == before
