"""The deploy files, as far as they can be checked without the platforms that they are for."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from documents import DEPLOY, compose, environments, load, load_all, railway, yaml_files
from programs import optional
from served import ROOT

from mcp_server.settings import Settings, load_settings
from mcp_server.settings.variables import variables

DSTACK = ["dstack/docker-compose.yml", "dstack/docker-compose.oauth.yml"]
COMPOSE = ["compose.yaml", "compose.scaled.yaml", "compose.oauth.yaml", *DSTACK]
MANIFESTS = sorted(path.name for path in (DEPLOY / "kubernetes").glob("*.yaml") if path.stem != "kustomization")
KNOWN = {name for variable in variables(Settings) for name in variable.names} | {"PYTHON_VERSION"}
_DEFAULT = re.compile(r"\$\{(\w*(?:KEY|SECRET|PASSWORD|TOKEN)\w*):?-([^}]+)\}")


def services(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from load(name)["services"].items()


@pytest.mark.parametrize("path", yaml_files(), ids=lambda path: str(path.relative_to(DEPLOY)))
def test_every_yaml_file_has_documents(path: Path) -> None:
    assert all(isinstance(document, dict) for document in load_all(path))


# -- what the server is told -----------------------------------------------------------------------------------------

PLATFORMS = [*COMPOSE, "fly.toml", "render.yaml", "cloudrun/service.yaml", "kubernetes/deployment.yaml"]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_server_starts_in_production_with_what_a_platform_sets(
    platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = dict(environments())[platform]
    for name in KNOWN & os.environ.keys():
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert (settings.production, settings.host, settings.warnings) == (True, "0.0.0.0", ())
    assert settings.allowed_hosts


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_platform_sets_nothing_that_the_server_does_not_read(platform: str) -> None:
    assert dict(environments())[platform].keys() - KNOWN == set()


# -- compose ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMPOSE)
def test_no_secret_has_a_default(name: str) -> None:
    assert _DEFAULT.findall((DEPLOY / name).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("name", COMPOSE)
def test_compose_starts_nothing_without_a_key(name: str) -> None:
    with pytest.raises(AssertionError, match="is required"):
        compose(name)


@pytest.mark.parametrize("name", ["compose.yaml", "compose.scaled.yaml", "compose.oauth.yaml"])
def test_only_the_proxy_is_published_beyond_this_machine(name: str) -> None:
    published = {(service, port) for service, each in services(name) for port in each.get("ports", ())}
    beyond = {(service, port) for service, port in published if not port.startswith("127.0.0.1:")}
    assert beyond <= {("caddy", "80:80"), ("caddy", "443:443")}


@pytest.mark.parametrize("name", ["compose.scaled.yaml", "compose.oauth.yaml"])
def test_redis_is_not_published_and_wants_a_password(name: str) -> None:
    redis = dict(services(name))["redis"]
    assert "ports" not in redis
    assert "--requirepass" in redis["command"][-1]


def test_the_database_of_the_login_is_not_published() -> None:
    assert "ports" not in dict(services("compose.oauth.yaml"))["postgres"]


@pytest.mark.parametrize("name", COMPOSE)
def test_no_container_has_a_name_that_a_second_one_could_not_have(name: str) -> None:
    assert [service for service, each in services(name) if "container_name" in each] == []


@pytest.mark.parametrize("name", COMPOSE)
def test_no_image_is_whatever_is_latest(name: str) -> None:
    images = {each["image"] for _, each in services(name)} - {"mcp-server"}  # built here
    assert [image for image in images if image.endswith(":latest") or ":" not in image] == []


@pytest.mark.parametrize("name", COMPOSE)
def test_what_compose_mounts_is_there(name: str) -> None:
    mounts = [mount for _, each in services(name) for mount in each.get("volumes", ()) if mount.startswith(".")]
    assert [mount for mount in mounts if not (DEPLOY / mount.partition(":")[0]).exists()] == []


def test_three_servers_share_the_load() -> None:
    assert dict(services("compose.scaled.yaml"))["mcp"]["deploy"]["replicas"] == 3


def test_every_server_of_compose_is_asked_for_its_numbers() -> None:
    hosts = compose("compose.scaled.yaml", **dict.fromkeys(("MCP_API_KEY", "SESSION_SECRET", "REDIS_PASSWORD"), "x"))
    allowed = hosts["services"]["mcp"]["environment"]["ALLOWED_HOSTS"].split(",")
    asked = load("prometheus/scaled.yml")["scrape_configs"][0]["static_configs"][0]["targets"]
    assert asked == [f"{host}:8000" for host in allowed]
    assert [f"{load('compose.scaled.yaml')['name']}-mcp-{number}" for number in (1, 2, 3)] == allowed


@pytest.mark.parametrize("name", COMPOSE)
def test_compose_waits_longer_than_the_server_drains(name: str) -> None:
    grace = dict(services(name))["mcp"]["stop_grace_period"]
    assert int(grace.removesuffix("s")) > Settings(mcp_api_key=(), grace_seconds=8).grace_seconds


@pytest.mark.parametrize("name", DSTACK)
def test_dstack_runs_what_is_named_by_its_digest(name: str) -> None:
    assert [each["image"] for _, each in services(name) if "@sha256:" not in each["image"]] == []


@pytest.mark.parametrize("name", DSTACK)
def test_dstack_publishes_one_port(name: str) -> None:
    assert [port for _, each in services(name) for port in each.get("ports", ())] == ["8100:8100"]


def test_the_account_and_the_server_of_dstack_have_one_store() -> None:
    found = dict(services("dstack/docker-compose.oauth.yml"))
    account, server = found["account"], found["mcp"]
    assert account["volumes"] == server["volumes"]
    assert account["environment"]["DATA_DIR"] == server["environment"]["DATA_DIR"]
    assert server["depends_on"]["account"]["condition"] == "service_completed_successfully"


# -- Kubernetes, Cloud Run -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_fits_the_schema_of_kubernetes(name: str) -> None:
    validate: Any = pytest.importorskip("kubernetes_validate")
    validate.validate(load(f"kubernetes/{name}"), "1.32", strict=True)


def test_the_kustomization_names_every_manifest() -> None:
    assert sorted(load("kubernetes/kustomization.yaml")["resources"]) == MANIFESTS


def container() -> dict[str, Any]:
    return load("kubernetes/deployment.yaml")["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize(("probe", "path"), [("startup", "/health"), ("liveness", "/health"), ("readiness", "/ready")])
def test_kubernetes_asks_the_right_page(probe: str, path: str) -> None:
    assert container()[f"{probe}Probe"]["httpGet"] == {"path": path, "port": "http"}


def test_a_pod_has_time_to_leave() -> None:
    pod = load("kubernetes/deployment.yaml")["spec"]["template"]["spec"]
    waits = int(container()["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > waits + 8


def test_a_pod_may_do_nothing_that_it_need_not() -> None:
    pod = load("kubernetes/deployment.yaml")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_service_finds_the_pods() -> None:
    deployment = load("kubernetes/deployment.yaml")
    assert load("kubernetes/service.yaml")["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]


def test_cloud_run_lets_a_stream_last_as_long_as_the_server_does() -> None:
    assert load("cloudrun/service.yaml")["spec"]["template"]["spec"]["timeoutSeconds"] > 300


def test_cloud_run_is_not_told_the_port_that_it_tells() -> None:
    container = load("cloudrun/service.yaml")["spec"]["template"]["spec"]["containers"][0]
    assert "PORT" not in {entry["name"] for entry in container["env"]}


# -- the others ------------------------------------------------------------------------------------------------------


def test_fly_sends_requests_to_the_port_that_the_server_has() -> None:
    with (DEPLOY / "fly.toml").open("rb") as file:
        fly = tomllib.load(file)
    assert str(fly["http_service"]["internal_port"]) == fly["env"]["PORT"]
    assert (fly["kill_signal"], fly["http_service"]["checks"][0]["path"]) == ("SIGTERM", "/ready")


def test_railway_and_render_watch_the_open_page() -> None:
    assert railway()["deploy"]["healthcheckPath"] == "/health"
    assert load("render.yaml")["services"][0]["healthCheckPath"] == "/health"


def test_the_tunnel_leads_to_the_server_and_nowhere_else() -> None:
    first, last = load("cloudflared/config.yml")["ingress"]
    assert (first["service"], last) == ("http://localhost:8000", {"service": "http_status:404"})


def test_the_alarms_ring_when_they_should() -> None:
    command = [optional("promtool"), "test", "rules", str(DEPLOY / "prometheus/alerts.test.yml")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_the_alarms_are_about_metrics_that_there_are() -> None:
    metrics = (ROOT / "mcp_server/observe/metrics.py").read_text(encoding="utf-8")
    said = set(
        re.findall(r"\bmcp_\w+?(?=(?:_total|_bucket)?\b)", (DEPLOY / "prometheus/alerts.yml").read_text("utf-8"))
    )
    assert [name for name in said if f'"{name}"' not in metrics] == []


def test_caddy_understands_its_file() -> None:
    command = [optional("caddy"), "validate", "--adapter", "caddyfile", "--config", str(DEPLOY / "Caddyfile")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
