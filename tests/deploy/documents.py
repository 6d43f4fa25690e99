"""The deploy files as data: YAML parsed, compose variables filled in, the environments that they give the server."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from served import ROOT

DEPLOY: Final = ROOT / "deploy"
STRONG: Final = "0123456789abcdef0123456789abcdef"
_VARIABLE: Final = re.compile(r"\$\{(\w+)(?:(:[-?+])([^}]*))?\}")


def yaml_files() -> list[Path]:
    """Every YAML file that is ours."""
    found = [*DEPLOY.glob("**/*.yaml"), *DEPLOY.glob("**/*.yml")]
    return sorted(path for path in found if "lambda" not in path.relative_to(DEPLOY).parts)


def load(path: str | Path) -> Any:
    """A file with one YAML document."""
    documents = load_all(DEPLOY / path)
    assert len(documents) == 1
    return documents[0]


def load_all(path: Path) -> list[Any]:
    """The YAML documents of a file."""
    yaml: Any = pytest.importorskip("yaml")
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def filled(text: str, given: Mapping[str, str]) -> str:
    """A value of a compose file, with its variables filled in as compose does."""

    def value(match: re.Match[str]) -> str:
        name, sign, rest = match.groups()
        found = given.get(name, "")
        if sign == ":?":
            assert found, f"{name} is required: {rest}"
        if sign == ":+":
            return rest if found else ""
        return found or (rest if sign == ":-" else "")

    return _VARIABLE.sub(value, text)


def compose(name: str, **given: str) -> dict[str, Any]:
    """A compose file with its variables filled in."""

    def fill(node: Any) -> Any:
        match node:
            case str():
                return filled(node, given)
            case list():
                return [fill(each) for each in node]  # pyright: ignore[reportUnknownVariableType] - YAML has no types
            case dict():
                return {key: fill(each) for key, each in node.items()}  # pyright: ignore[reportUnknownVariableType]
            case _:
                return node

    return fill(load(name))


def environments() -> Iterator[tuple[str, dict[str, str]]]:
    """What each deploy file sets for the server, together with the secrets that its page has one set."""
    keys = {"MCP_API_KEY": STRONG, "METRICS_KEY": STRONG, "SESSION_SECRET": STRONG}
    given = {
        **keys,
        "REDIS_PASSWORD": STRONG,
        "POSTGRES_PASSWORD": STRONG,
        "DOMAIN": "api.example.com",
        "MCP_IMAGE": "registry.example.com/mcp-server@sha256:0",
        "LOGIN_NAME": "anna",
        "LOGIN_PASSWORD": STRONG,
    }
    for name in (
        "compose.yaml",
        "compose.scaled.yaml",
        "compose.oauth.yaml",
        "dstack/docker-compose.yml",
        "dstack/docker-compose.oauth.yml",
    ):
        yield name, compose(name, **given)["services"]["mcp"]["environment"]
    with (DEPLOY / "fly.toml").open("rb") as file:
        yield "fly.toml", {**tomllib.load(file)["env"], "MCP_API_KEY": STRONG}
    settings = {each["key"]: each.get("value", STRONG) for each in load("render.yaml")["services"][0]["envVars"]}
    settings |= dict.fromkeys(("API_BASE_URL", "API_KEY"), "") | {"DOMAIN": "api.example.com"}
    yield "render.yaml", settings
    yield "cloudrun/service.yaml", _of_container(load("cloudrun/service.yaml"))
    secrets = {**keys, "REDIS_URL": "redis://:PASSWORD@redis:6379/0"}
    yield "kubernetes/deployment.yaml", {**_of_container(load("kubernetes/deployment.yaml")), **secrets}


def _of_container(manifest: Mapping[str, Any]) -> dict[str, str]:
    entries = manifest["spec"]["template"]["spec"]["containers"][0]["env"]
    found = {entry["name"]: entry.get("value", STRONG) for entry in entries}
    return {name: value.replace("PROJECT_NUMBER", "1").replace("REGION", "x") for name, value in found.items()}


def railway() -> Any:
    """Railway's file, which is JSON."""
    return json.loads((DEPLOY / "railway.json").read_text(encoding="utf-8"))
