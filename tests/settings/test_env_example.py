"""`.env.example` says what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from readers import by_docker, by_python_dotenv, by_systemd

from mcp_server.settings import Settings, load_settings
from mcp_server.settings.example import example
from mcp_server.settings.variables import Variable, variables

ROOT = Path(__file__).parents[2]
FILE = ROOT / ".env.example"
_SECRET = re.compile(
    r"#?(\w*API_KEY|METRICS_KEY|MCP_API_KEY_PREVIOUS|SESSION_SECRET|OAUTH_REGISTRATION_KEY|(REDIS|DB)_PASSWORD|(REDIS|STORE)_URL)="
)
SHOWN = [variable for variable in variables(Settings) if variable.shown]


def with_defaults(text: str) -> str:
    """The file after the # before each default was taken away."""
    return re.sub(r"(?m)^#(?=[A-Z_]+=)", "", text)


def test_the_file_is_the_generated_one() -> None:
    assert FILE.read_text(encoding="ascii") == example(Settings)


def test_the_module_prints_the_file() -> None:
    run = subprocess.run([sys.executable, "-m", "mcp_server.settings"], cwd=ROOT, capture_output=True, check=True)
    assert run.stdout.replace(b"\r\n", b"\n") == FILE.read_bytes()


@pytest.mark.parametrize("change", [str, with_defaults], ids=["as it is", "with the defaults"])
def test_every_reader_reads_the_file_alike(change: Callable[[str], str]) -> None:
    text = change(FILE.read_text(encoding="ascii"))
    assert by_docker(text) == by_systemd(text) == by_python_dotenv(text)
    assert by_docker(text)["MCP_API_KEY"] == "your_test_token"


def test_the_file_has_every_variable_once() -> None:
    text = with_defaults(FILE.read_text(encoding="ascii"))
    assert re.findall(r"(?m)^([A-Z_]+)=", text) == [variable.names[0] for variable in SHOWN]


def test_the_file_mentions_every_further_name() -> None:
    text = FILE.read_text(encoding="ascii")
    assert [name for variable in SHOWN for name in variable.names if not re.search(rf"\b{name}\b", text)] == []


def test_the_defaults_of_the_file_are_the_defaults(tmp_path: Path) -> None:
    copy = tmp_path / ".env"
    copy.write_text(with_defaults(FILE.read_text(encoding="ascii")), encoding="ascii")
    written = load_settings(copy).model_dump(exclude={"mcp_api_key"})
    assert written == load_settings().model_dump(exclude={"mcp_api_key"})


def test_a_copy_of_the_file_starts_a_server_with_a_warning(tmp_path: Path) -> None:
    copy = tmp_path / ".env"
    copy.write_bytes(FILE.read_bytes())
    settings = load_settings(copy)
    assert settings.keys == ("your_test_token",)
    assert settings.warnings == ("MCP_API_KEY is a placeholder; in production the server would not start",)


def test_no_secret_but_the_placeholder_has_a_value() -> None:
    secrets = [line for line in FILE.read_text(encoding="ascii").splitlines() if _SECRET.match(line)]
    assert [line for line in secrets if not line.endswith("=")] == ["MCP_API_KEY=your_test_token"]
    assert len(secrets) == 10


@pytest.mark.parametrize("variable", SHOWN, ids=lambda variable: variable.field)
def test_every_variable_has_a_sentence_a_reader_and_its_own_name(variable: Variable) -> None:
    assert variable.names[0] == variable.field.upper()
    assert re.fullmatch(r"\w.*\w\.", variable.says)
    assert variable.read_by
    assert variable.otherwise or variable.default is not None


def test_no_two_variables_share_a_name() -> None:
    names = [name for variable in variables(Settings) for name in variable.names]
    assert sorted(set(names)) == sorted(names)
