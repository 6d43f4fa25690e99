"""The settings as a whole: where values come from, and everything that is wrong at once."""

from __future__ import annotations

import functools
import subprocess
import sys
import traceback
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mcp_server.settings import Problem, Settings, SettingsError, exit_with_problems, load_settings

Write = Callable[..., Path]

STRONG = "0123456789abcdef" * 4
OTHER = "fedcba9876543210" * 4


def problems_of(dotenv: Path | None = None, **fields: Any) -> list[str]:
    load = functools.partial(load_settings, dotenv) if dotenv else functools.partial(Settings, **fields)
    with pytest.raises(SettingsError) as caught:
        load()
    return [str(problem) for problem in caught.value.problems]


# Where values come from


def test_nothing_set_is_a_server_for_this_machine() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.rate_limit) == ("localhost", 8000, "100/minute")
    assert (settings.production, settings.without_key, settings.keys) == (False, "loopback", ())


def test_the_environment_overrules_the_file(dotenv: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    settings = load_settings(dotenv("PORT=7000", "APP_NAME=Shop"))
    assert (settings.port, settings.app_name) == (9000, "Shop")


def test_the_environment_overrules_the_file_under_another_name(dotenv: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROXY_PORT", "9000")
    assert load_settings(dotenv("PORT=7000")).port == 9000


@pytest.mark.parametrize(
    ("said", "line", "expected"),
    [
        ("RATE_LIMIT_REQUESTS_PER_MINUTE=5", "RATE_LIMIT=100/minute", {"rate_limit": "5/minute"}),
        ("RATE_LIMIT_WINDOW=30", "RATE_LIMIT=100/minute", {"rate_limit": "100/30 second"}),
        ("DOMAIN=a.example", "PUBLIC_URL=https://b.example", {"public_url": "https://a.example"}),
    ],
)
def test_what_the_environment_says_in_parts_overrules_the_whole_in_the_file(
    dotenv: Write, monkeypatch: pytest.MonkeyPatch, said: str, line: str, expected: dict[str, str]
) -> None:
    monkeypatch.setenv(*said.split("="))
    assert load_settings(dotenv(line)).model_dump(include=set(expected)) == expected


def test_a_host_of_redis_in_the_environment_overrules_a_url_in_the_file(
    dotenv: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_HOST", "redis")
    settings = load_settings(dotenv("REDIS_URL=redis://elsewhere", "RATE_LIMIT_STORAGE_URL=memory://"))
    assert settings.rate_limit_storage_url.get_secret_value() == "redis://redis:6379/0"


def test_a_program_overrules_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROXY_PORT", "9000")
    monkeypatch.setenv("MCP_API_KEY", STRONG)
    settings = Settings(port=5)
    assert (settings.port, settings.keys) == (5, (STRONG,))


@pytest.mark.parametrize("empty", ["", " ", "\t"])
def test_an_empty_value_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch, empty: str) -> None:
    monkeypatch.setenv("PORT", empty)
    monkeypatch.setenv("PROXY_PORT", "9000")
    assert load_settings().port == 9000


@pytest.mark.parametrize("name", ["listening", "LISTENING", "DOTENV", "dotenv", "port"])
def test_only_variables_are_read(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "0")
    assert load_settings() == Settings()
    assert load_settings().listening


@pytest.mark.parametrize(
    ("name", "field", "value", "expected"),
    [
        ("PROXY_HOST", "host", "0.0.0.0", "0.0.0.0"),
        ("MCP_HOST", "host", "0.0.0.0", "0.0.0.0"),
        ("PROXY_PORT", "port", "8100", 8100),
        ("MCP_GATEWAY_PORT", "port", "8080", 8080),
        ("MCP_PORT", "port", "8201", 8201),
        ("DEBUG_MODE", "debug", "true", True),
        ("MCP_DOMAIN", "domain", "a.example", "a.example"),
        ("FORWARDED_ALLOW_IPS", "trusted_proxies", "100.64.0.0/10", ("100.64.0.0/10",)),
        ("GATEWAY_MAX_WORKERS", "workers", "4", 4),
        ("WEB_CONCURRENCY", "workers", "4", 4),
        ("GATEWAY_MAX_CONNECTIONS", "max_connections", "10", 10),
        ("GATEWAY_REQUEST_TIMEOUT", "tool_timeout", "30", 30.0),
        ("SSE_HEARTBEAT_INTERVAL", "sse_heartbeat_interval", "30", 30.0),
        ("SSE_STREAM_TIMEOUT", "sse_stream_timeout", "60", 60.0),
        ("SSE_MAX_CONNECTIONS", "sse_max_connections", "7", 7),
        ("RATE_LIMIT_BURST", "rate_limit_burst", "20", 20),
        ("RATE_LIMIT_DAY", "rate_limit_day", "5000", 5000),
        ("MCP_TRACE_REQUESTS", "trace_requests", "true", True),
        ("TRACE_REQUESTS", "trace_requests", "1", True),
        ("API_BASE_URL", "api_base_url", "https://a.example/v1", "https://a.example/v1"),
        ("MAX_BODY_BYTES", "max_body_bytes", "2048", 2048),
        ("SESSION_TTL", "session_ttl", "600", 600),
        ("CORS_ALLOWED_METHODS", "cors_allowed_methods", "get, post", ("GET", "POST")),
        ("CORS_ALLOWED_HEADERS", "cors_allowed_headers", "Content-Type,X-A", ("Content-Type", "X-A")),
    ],
)
def test_the_names_that_guides_use_are_understood(
    monkeypatch: pytest.MonkeyPatch, name: str, field: str, value: str, expected: object
) -> None:
    monkeypatch.setenv(name, value)
    assert getattr(load_settings(), field) == expected


# What follows


@pytest.mark.parametrize("environment", ["production", "staging", "Production"])
def test_staging_is_production(environment: str) -> None:
    settings = Settings(environment=environment, mcp_api_key=STRONG)  # pyright: ignore[reportArgumentType]
    assert (settings.production, settings.without_key) == (True, "refuse")


def test_lambda_is_production_whatever_else_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")
    monkeypatch.setenv("MCP_API_KEY", STRONG)
    assert Settings(environment="development").production


def test_development_without_a_key_is_open() -> None:
    assert Settings(environment="development").without_key == "open"


def test_debug_makes_the_log_detailed() -> None:
    assert Settings(debug=True).log_level == "DEBUG"


def test_a_log_level_in_the_file_is_not_changed_by_debug(dotenv: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEBUG", "true")
    assert load_settings(dotenv("LOG_LEVEL=warning")).log_level == "WARNING"


def test_a_domain_is_reached_by_https_and_allowed() -> None:
    settings = Settings(domain="API.example.com", allowed_hosts=("a.example", "api.example.com"))
    assert settings.public_url == "https://api.example.com"
    assert settings.allowed_hosts == ("a.example", "api.example.com")


def test_the_host_of_the_public_address_is_allowed() -> None:
    settings = Settings(public_url="https://API.example.com:8443/", domain="b.example")
    assert settings.public_url == "https://API.example.com:8443"
    assert settings.allowed_hosts == ("b.example", "api.example.com:8443")


@pytest.mark.parametrize("domain", ["localhost", "localhost:8000", "127.0.0.1", "[::1]:80"])
def test_a_domain_that_is_this_machine_makes_no_public_address(domain: str) -> None:
    assert Settings(domain=domain).public_url is None


def test_several_keys_and_the_previous_ones_are_all_valid() -> None:
    settings = Settings(mcp_api_key=f"{STRONG}, {OTHER}\t{STRONG}", mcp_api_key_previous=OTHER)  # pyright: ignore[reportArgumentType]
    assert settings.keys == (STRONG, OTHER)


def test_session_secrets_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESSION_SECRETS", f"{OTHER} {STRONG}")
    assert load_settings().session_secrets == (OTHER, STRONG)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"redis_host": "redis"}, "redis://redis:6379/0"),
        ({"redis_host": "::1", "redis_port": 1}, "redis://[::1]:1/0"),
        ({"redis_host": "redis", "redis_password": "p@ss/wörd"}, "redis://:p%40ss%2Fw%C3%B6rd@redis:6379/0"),
        ({"redis_url": "rediss://a:1/2"}, "rediss://a:1/2"),
        ({"rate_limit_storage_url": "memory://", "redis_url": "redis://a"}, "memory://"),
        ({}, "memory://"),
    ],
)
def test_requests_are_counted_in_redis_if_there_is_one(fields: dict[str, str], expected: str) -> None:
    assert Settings(**fields).rate_limit_storage_url.get_secret_value() == expected  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"db_host": "postgres"}, "postgresql://postgres:5432"),
        (
            {"db_host": "::1", "db_port": 1, "db_name": "a/b", "db_user": "a:b", "db_password": "p@ss/wörd"},
            "postgresql://a%3Ab:p%40ss%2Fw%C3%B6rd@[::1]:1/a%2Fb",
        ),
        ({"db_host": "postgres", "db_user": "ann", "redis_host": "redis"}, "postgresql://ann@postgres:5432"),
        ({"redis_host": "redis"}, "redis://redis:6379/0"),
        ({"redis_host": "redis", "store_url": "sqlite:///a.db"}, "sqlite:///a.db"),
        ({"data_dir": "/srv/data"}, "sqlite:////srv/data/mcp-server.db"),
        ({"store_url": "memory://"}, "memory://"),
    ],
)
def test_records_are_kept_in_what_was_named_first(fields: dict[str, str], expected: str) -> None:
    assert Settings(**fields).store == expected  # pyright: ignore[reportArgumentType]


def test_records_are_kept_in_the_folder_of_the_platform_if_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert Settings().store == "sqlite:////home/ann/.local/state/mcp-server/mcp-server.db"
    monkeypatch.setenv("XDG_STATE_HOME", "/var/state")
    assert Settings().store == "sqlite:////var/state/mcp-server/mcp-server.db"
    monkeypatch.setenv("XDG_STATE_HOME", "relative/is/not/allowed")
    assert Settings().store == "sqlite:////home/ann/.local/state/mcp-server/mcp-server.db"


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError

    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(SettingsError, match="DATA_DIR must be set, because this user has no home folder"):
        _ = Settings().store
    assert Settings(data_dir=Path("/srv")).store == "sqlite:////srv/mcp-server.db"


@pytest.mark.parametrize(
    ("name", "value"),
    [("DATABASE_URL", "postgres://ann:hunter2@db/mcp"), ("STORE_URL", "postgresql:///mcp?host=/run/postgresql")],
)
def test_a_store_is_found_under_either_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.store == value
    assert "hunter2" not in repr(settings)
    assert ("hunter2" in settings.secrets) == ("hunter2" in value)


def test_the_names_of_the_image_of_postgres_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HOST": "postgres", "DB": "mcp_db", "USER": "mcp_user", "PASSWORD": "a b"}.items():
        monkeypatch.setenv(f"POSTGRES_{name}", value)
    assert load_settings().store == "postgresql://mcp_user:a%20b@postgres:5432/mcp_db"


@pytest.mark.parametrize(
    "value",
    ["mysql://hunter2@db", "sqlite://hunter2.db", "sqlite:///", "sqlite:///hunter2/", "sqlite:///a?hunter2",
     "postgres+asyncpg://hunter2@db/mcp", "redis://", "postgresql://hunter2@db:port/mcp"],
)  # fmt: skip
def test_a_store_that_there_is_not_is_refused_without_being_quoted(value: str) -> None:
    with pytest.raises(SettingsError, match="STORE_URL must be an address such as") as caught:
        Settings(store_url=value)  # pyright: ignore[reportArgumentType]
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "memory://"),
        ({"redis_host": "redis"}, "redis://redis:6379/0"),
        ({"redis_host": "redis", "event_bus_url": "memory://"}, "memory://"),
    ],
)
def test_news_travel_through_redis_if_there_is_one(fields: dict[str, str], expected: str) -> None:
    assert Settings(**fields).event_bus_url.get_secret_value() == expected  # pyright: ignore[reportArgumentType]


def test_a_key_may_send_as_much_as_an_address_unless_told_otherwise() -> None:
    assert Settings(rate_limit="7/hour").rate_limit_per_key == "7/hour"


def test_everything_secret_is_collected() -> None:
    settings = Settings(
        mcp_api_key=("k" * 9, "l" * 9),  # pyright: ignore[reportArgumentType]
        api_key="backend",  # pyright: ignore[reportArgumentType]
        redis_url="redis://:p%40ss@redis/0",  # pyright: ignore[reportArgumentType]
        session_secret="session",  # pyright: ignore[reportArgumentType]
        metrics_key="metrics",  # pyright: ignore[reportArgumentType]
    )
    assert set(settings.secrets) == {
        "k" * 9, "l" * 9, "backend", "redis://:p%40ss@redis/0", "p@ss", "session", "metrics",
    }  # fmt: skip


def test_an_address_without_a_password_is_no_secret() -> None:
    assert Settings(redis_url="redis://redis/0").secrets == ()  # pyright: ignore[reportArgumentType]


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1  # pyright: ignore[reportAttributeAccessIssue]


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "cert.pem", tmp_path / "key.pem"
    for path in paths:
        path.touch()
    return paths


def test_a_certificate_and_its_key_mean_https(pair: tuple[Path, Path]) -> None:
    assert Settings(ssl_cert_path=pair[0], ssl_key_path=pair[1]).tls == pair


def test_https_can_be_left_to_a_proxy(pair: tuple[Path, Path]) -> None:
    assert Settings(ssl_cert_path=pair[0], ssl_key_path=pair[1], use_ssl=False).tls is None


def test_without_a_certificate_there_is_no_https() -> None:
    assert Settings().tls is None


# Everything that is wrong at once


def test_all_problems_are_listed_at_once(dotenv: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROXY_PORT", "99999")
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("HOST", "a\nb")
    path = dotenv("SSE_STREAM_TIMEOUT=1048576  # 1MB", "RATE_LIMIT=5", "METRICS_ENABLED=true", "export A=1")
    found = problems_of(path)
    assert [line.split(" must")[0].split(" is required")[0] for line in found] == [
        "SSE_STREAM_TIMEOUT (.env, line 1)",
        ".env, line 4,",
        "HOST",
        "PROXY_PORT",
        "RATE_LIMIT",
        "MCP_API_KEY",
        "METRICS_KEY",
    ]


def test_a_misspelt_name_is_a_hint_when_something_is_missing(dotenv: Write) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(dotenv("ENVIRONMENT=production", f"MCP_APIKEY={STRONG}"))
    assert caught.value.hints == ("MCP_APIKEY in .env is not a variable of this server; is MCP_API_KEY meant?",)


def test_a_broken_key_is_not_also_a_missing_one(dotenv: Write) -> None:
    found = problems_of(dotenv("ENVIRONMENT=production", f'MCP_API_KEY="{STRONG}"'))
    assert found == ["MCP_API_KEY (.env, line 2) must be written without quotes"]


def test_a_broken_previous_key_does_not_make_the_key_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("MCP_API_KEY_PREVIOUS", "schlüssel" * 5)
    assert [line.split()[0] for line in problems_of()] == ["MCP_API_KEY_PREVIOUS"]


def test_a_program_is_told_by_the_name_of_the_variable() -> None:
    assert problems_of(port=0) == ["PORT must be a port, a whole number from 1 to 65535"]


def test_a_field_that_does_not_exist_is_refused() -> None:
    assert problems_of(prot=1) == ["prot is not a setting"]


def test_a_field_that_is_no_variable_is_checked_too() -> None:
    assert problems_of(listening="maybe")[0].startswith("listening is wrong: ")


SECRET = "hush-0123456789"  # what no message may repeat


@pytest.mark.parametrize("value", [f"{SECRET} # x", f'"{SECRET}"', f"{SECRET}\r\n", f"{SECRET}\0", f"{SECRET}é"])
@pytest.mark.parametrize(
    "name",
    ["MCP_API_KEY", "SESSION_SECRET", "METRICS_KEY", "PORT", "RATE_LIMIT", "REDIS_URL", "ENVIRONMENT", "PUBLIC_URL"],
)
def test_no_message_nor_traceback_repeats_a_value(dotenv: Write, name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(dotenv(f"{name}={value}", "PORT=none"))
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert SECRET not in repr(caught.value.problems)
    assert caught.value.__context__ is None


def test_settings_can_be_printed_without_their_secrets(monkeypatch: pytest.MonkeyPatch, dotenv: Write) -> None:
    for name in ("MCP_API_KEY", "MCP_API_KEY_PREVIOUS", "SESSION_SECRET", "METRICS_KEY", "REDIS_PASSWORD"):
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setenv("REDIS_HOST", "redis")
    settings = load_settings(dotenv(f"API_KEY={SECRET}"))
    assert SECRET not in f"{settings!r} {settings} {settings.model_dump()} {settings.warnings}"


@pytest.mark.parametrize("value", ["1\n2", "1\0", "1 # one", "'1'"])
def test_the_environment_has_the_syntax_of_the_file(value: str) -> None:
    assert problems_of(app_name=value)[0].startswith("APP_NAME must ")


def test_problems_go_to_standard_error_and_the_exit_code_is_78() -> None:
    stream = StringIO()
    error = SettingsError([Problem("PORT", "must be a port"), Problem("HOST", "must", "line 1")], hints=["look"])
    with pytest.raises(SystemExit) as caught:
        exit_with_problems(error, stream)
    assert caught.value.code == 78
    assert stream.getvalue() == (
        "There are 2 problems with the settings; the server was not started.\n"
        "  PORT must be a port\n  HOST (line 1) must\n  (Hint: look.)\n"
    )


def test_a_single_problem_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        exit_with_problems(SettingsError([Problem("PORT", "must be a port")]))
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "There is a problem with the settings; the server was not started.\n  PORT must be a port\n"


@pytest.mark.parametrize("module", ["mcp_server", "mcp_server.settings", "mcp_server.settings.dotenv"])
def test_pydantic_settings_is_loaded_by_those_who_use_it_only(module: str) -> None:
    code = f"import {module}, sys; print('pydantic_settings' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_the_room_has_nothing_that_it_does_not_name() -> None:
    with pytest.raises(ImportError, match="cannot import name 'Setings'"):
        exec("from mcp_server.settings import Setings")
