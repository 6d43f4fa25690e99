"""What only shows when several variables are seen together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mcp_server.guards.rates import rates_from
from mcp_server.settings import Settings, SettingsError

STRONG = "0123456789abcdef" * 4
PLACEHOLDERS = [
    "your_test_token",
    "your_token",
    "your_secure_token",
    "your-secure-api-key-here",
    f"my-your-{STRONG}",
    "Change-Me" * 5,
    "x" * 64,
]


def problems_of(**fields: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        Settings(**fields)
    return [str(problem) for problem in caught.value.problems]


def warnings_of(**fields: Any) -> list[str]:
    given: dict[str, Any] = {"mcp_api_key": STRONG, **fields}
    return list(Settings(**given).warnings)


# Keys


@pytest.mark.parametrize("environment", ["production", "staging"])
def test_production_does_not_start_without_a_key(environment: str) -> None:
    [problem] = problems_of(environment=environment)
    assert problem == "MCP_API_KEY is required in production; make one with: openssl rand -hex 32"


def test_lambda_does_not_start_without_a_key() -> None:
    [problem] = problems_of(aws_lambda_function_name="f", environment="development")
    assert problem.startswith("MCP_API_KEY is required")


def test_a_previous_key_is_a_key() -> None:
    assert Settings(environment="production", mcp_api_key_previous=STRONG).keys == (STRONG,)  # pyright: ignore[reportArgumentType]


def test_a_child_process_needs_no_key() -> None:
    assert Settings(environment="production", listening=False, workers=2).warnings == ()


@pytest.mark.parametrize("placeholder", PLACEHOLDERS)
def test_production_does_not_start_with_a_placeholder(placeholder: str) -> None:
    [problem] = problems_of(environment="production", mcp_api_key=f"{STRONG} {placeholder}")
    assert problem == "MCP_API_KEY is a placeholder; make one with: openssl rand -hex 32"


@pytest.mark.parametrize(
    "field", ["mcp_api_key", "mcp_api_key_previous", "metrics_key", "session_secret", "oauth_registration_key"]
)
def test_production_does_not_start_with_a_short_secret(field: str) -> None:
    [problem] = problems_of(**{"environment": "production", "mcp_api_key": STRONG, field: STRONG[:31]})
    assert problem.startswith(f"{field.upper()} must have at least 32 characters;")


def test_thirty_two_characters_are_enough() -> None:
    assert warnings_of(mcp_api_key=STRONG[:32], environment="production") == []


@pytest.mark.parametrize("environment", ["development", None])
def test_elsewhere_a_weak_key_is_a_warning(environment: str | None) -> None:
    assert warnings_of(environment=environment, mcp_api_key="abcdefghijkl") == [
        "MCP_API_KEY must have at least 32 characters; in production the server would not start"
    ]


@pytest.mark.parametrize(("environment", "who"), [("development", "who can reach this server"), (None, "this machine")])
def test_a_missing_key_is_a_warning_that_says_who_may_call(environment: str | None, who: str) -> None:
    [warning] = warnings_of(environment=environment, mcp_api_key=())
    assert warning.startswith("MCP_API_KEY is not set: anybody ")
    assert who in warning


def test_metrics_in_production_need_a_key() -> None:
    [problem] = problems_of(environment="production", mcp_api_key=STRONG, metrics_enabled=True)
    assert problem.startswith("METRICS_KEY is required in production if METRICS_ENABLED=true")


def test_metrics_without_a_key_are_a_warning_elsewhere() -> None:
    assert warnings_of(metrics_enabled=True) == [
        "METRICS_KEY is not set: whoever may call this server may also read /metrics"
    ]


def test_a_well_kept_server_has_no_warnings() -> None:
    assert warnings_of(environment="production", metrics_enabled=True, metrics_key=STRONG, domain="a.example") == []


# HTTPS


@pytest.mark.parametrize(("field", "missing"), [("ssl_cert_path", "SSL_KEY_PATH"), ("ssl_key_path", "SSL_CERT_PATH")])
def test_half_of_a_certificate_is_refused(tmp_path: Path, field: str, missing: str) -> None:
    (tmp_path / "a.pem").touch()
    [problem] = problems_of(**{field: tmp_path / "a.pem"})
    assert problem == f"{missing} must be set as well, because {field.upper()} is"


def test_a_file_that_does_not_exist_is_one_problem(tmp_path: Path) -> None:
    (tmp_path / "a.pem").touch()
    [problem] = problems_of(ssl_cert_path=tmp_path / "b.pem", ssl_key_path=tmp_path / "a.pem", use_ssl=True)
    assert problem == "SSL_CERT_PATH must be the path of a file that exists"


def test_https_without_a_certificate_is_refused() -> None:
    assert problems_of(use_ssl=True) == ["USE_SSL must be false, unless SSL_CERT_PATH and SSL_KEY_PATH are set"]


@pytest.mark.parametrize(
    ("url", "count"), [("http://a.example", 1), ("http://localhost:8000", 0), ("https://a.example", 0)]
)
def test_a_public_address_without_https_is_a_warning(url: str, count: int) -> None:
    assert len(warnings_of(environment="production", public_url=url)) == count


# Rates


@pytest.mark.parametrize("name", ["rate_limit", "rate_limit_per_key"])
def test_a_burst_that_is_less_than_a_second_of_its_rate_is_refused(name: str) -> None:
    assert problems_of(**{name: "5000/day;201/2 second", "rate_limit_burst": 100}) == [
        "RATE_LIMIT_BURST must be at least 101, which is what the rate allows in a second"
    ]


def test_a_burst_that_is_a_second_of_its_rate_is_accepted() -> None:
    assert Settings(rate_limit="201/2 second", rate_limit_burst=101).rate_limit_burst == 101


@pytest.mark.parametrize("burst", [2, 20, 999_999_999])
@pytest.mark.parametrize("rate", ["100/minute", "1/day", "999999999/999999 day;1/second"])
def test_the_limiter_accepts_every_rate_that_is_accepted_here(rate: str, burst: int) -> None:
    settings = Settings(rate_limit=rate, rate_limit_burst=burst, rate_limit_day=5)
    assert rates_from(settings.rate_limit, burst=settings.rate_limit_burst, per_day=settings.rate_limit_day)


# What may not be meant


def test_believing_every_proxy_is_a_warning() -> None:
    [warning] = warnings_of(trusted_proxies="*")
    assert warning.startswith("TRUSTED_PROXIES=* lets everybody who reaches this server directly")


def test_several_workers_that_count_for_themselves_are_a_warning() -> None:
    counting, hearing = warnings_of(workers=2)
    assert counting.endswith("; set REDIS_URL to count them together")
    assert hearing.endswith("; set REDIS_URL to tell all of them")


def test_several_workers_with_a_store_in_memory_are_a_warning() -> None:
    [warning] = warnings_of(workers=2, redis_host="redis", store_url="memory://")
    assert warning.endswith("; set STORE_URL to something they can share")


def test_several_workers_that_share_what_they_should_are_fine() -> None:
    assert warnings_of(workers=2, redis_host="redis", session_secret=STRONG) == []


@pytest.mark.parametrize(
    ("fields", "beginning"),
    [
        ({"cors_allowed_origins": "*"}, "CORS_ALLOWED_ORIGINS=* lets every web page call"),
        ({"debug": True}, "DEBUG=true"),
    ],
)
def test_what_is_for_development_is_a_warning_in_production(fields: dict[str, Any], beginning: str) -> None:
    assert warnings_of(environment="development", **fields) == []
    [warning] = warnings_of(environment="production", **fields)
    assert warning.startswith(beginning)


def test_a_part_that_is_not_looked_at_is_a_warning() -> None:
    found = warnings_of(rate_limit="5/minute", rate_limit_window=5, redis_url="redis://a", redis_port=1)
    assert found == [
        "RATE_LIMIT_WINDOW is not used, because RATE_LIMIT is set",
        "REDIS_PORT is not used, because REDIS_URL is set",
    ]


@pytest.mark.parametrize("field", ["redis_port", "redis_password"])
def test_a_port_or_password_without_a_redis_is_a_warning(field: str) -> None:
    assert warnings_of(**{field: "1234"}) == ["REDIS_PORT and REDIS_PASSWORD are not used unless REDIS_HOST is set"]


@pytest.mark.parametrize("field", ["db_port", "db_name", "db_user", "db_password"])
def test_a_part_of_a_database_without_its_host_is_a_warning(field: str) -> None:
    expected = ["DB_PORT, DB_NAME, DB_USER and DB_PASSWORD are not used unless DB_HOST is set"]
    assert warnings_of(**{field: "1234"}) == expected


def test_a_part_of_a_database_beside_its_url_is_a_warning() -> None:
    found = warnings_of(store_url="postgresql://a", db_host="b", data_dir="c")
    assert found == ["DATA_DIR is not used, because STORE_URL is set", "DB_HOST is not used, because STORE_URL is set"]


def test_a_whole_made_of_its_parts_is_no_warning() -> None:
    assert warnings_of(rate_limit_requests_per_minute=5, redis_host="a", redis_port=1) == []


# Tokens of its own


def test_people_sign_in_at_an_address_that_is_known() -> None:
    for fields in ({"host": "0.0.0.0"}, {"environment": "production", "mcp_api_key": STRONG}):
        [problem] = problems_of(oauth_enabled=True, **fields)
        assert problem.startswith("PUBLIC_URL (or DOMAIN) must be set, because OAUTH_ENABLED is")
    assert Settings(oauth_enabled=True).public_url is None
    assert Settings(oauth_enabled=True, host="::1").public_url is None
    assert Settings(oauth_enabled=True, host="0.0.0.0", domain="mcp.example.com").public_url


def test_tokens_do_not_travel_unencrypted() -> None:
    [problem] = problems_of(oauth_enabled=True, public_url="http://mcp.example.com")
    assert problem.startswith("PUBLIC_URL must begin with https://")
    assert Settings(oauth_enabled=True, public_url="http://localhost:8000").public_url


def test_where_people_sign_in_no_key_is_needed() -> None:
    assert Settings(oauth_enabled=True, environment="production", domain="mcp.example.com").keys == ()


def test_what_is_for_development_does_not_start_in_production() -> None:
    fields = {"oauth_enabled": True, "environment": "production", "domain": "mcp.example.com"}
    [problem] = problems_of(**fields, oauth_loopback_documents=True)
    assert problem.startswith("OAUTH_LOOPBACK_DOCUMENTS must be false in production")


def test_there_is_something_to_ask_for() -> None:
    [problem] = problems_of(oauth_enabled=True, oauth_scopes=())
    assert problem == "OAUTH_SCOPES must name at least one scope"


def test_what_is_set_about_tokens_that_nobody_issues_is_said() -> None:
    assert warnings_of(oauth_scopes="a") == ["OAUTH_SCOPES is not used unless OAUTH_ENABLED=true"]


def test_sign_ins_that_are_soon_forgotten_are_said() -> None:
    fields = {"oauth_enabled": True, "environment": "production", "domain": "mcp.example.com"}
    assert "STORE_URL=memory:// forgets" in warnings_of(**fields, store_url="memory://")[0]


@pytest.mark.parametrize("text", ["[1]", "{}", "[", "/nowhere/clients.json", "[" * 1000])
def test_clients_that_are_no_json_stop_the_start(text: str) -> None:
    [problem] = problems_of(oauth_clients=text)
    assert problem.startswith("OAUTH_CLIENTS must be a JSON array of objects")
