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
    "field",
    [
        "mcp_api_key",
        "mcp_api_key_previous",
        "metrics_key",
        "session_secret",
        "oauth_registration_key",
        "oauth_totp_key",
    ],
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


# Tokens

ISSUER = "https://login.example.com/"
TOKENS: dict[str, Any] = {"oauth_issuers": ISSUER, "domain": "api.example.com", "mcp_api_key": ()}


def with_tokens(**fields: Any) -> Settings:
    given: dict[str, Any] = {**TOKENS, **fields}
    return Settings(**given)


@pytest.mark.parametrize("accepted", [{"oauth_issuers": ISSUER}, {"mcp_jwt_secret": STRONG}])
def test_who_takes_tokens_needs_no_key(accepted: dict[str, Any]) -> None:
    given: dict[str, Any] = {"environment": "production", "domain": "api.example.com", "session_secret": STRONG}
    settings = Settings(**given, **accepted)
    assert (settings.takes_tokens, settings.keys, settings.warnings) == (True, (), ())


def test_an_issuer_is_taken_letter_for_letter() -> None:
    settings = with_tokens(oauth_issuers=f"{ISSUER}, https://Login.example.com/Tenant/v2.0")
    assert settings.oauth_issuers == (ISSUER, "https://Login.example.com/Tenant/v2.0")


@pytest.mark.parametrize("issuer", ["http://login.example.com", "login.example.com", "https://a.example/?x", "x://y"])
def test_an_issuer_is_asked_over_https(issuer: str) -> None:
    [problem] = problems_of(**{**TOKENS, "oauth_issuers": issuer})
    assert problem.startswith("OAUTH_ISSUERS must be a list, separated by commas, of addresses that begin with https")


@pytest.mark.parametrize("url", ["http://login.example.com/jwks", "https://login.example.com/#x", "jwks"])
def test_keys_are_fetched_over_https(url: str) -> None:
    assert problems_of(**TOKENS, oauth_jwks_url=url) == ["OAUTH_JWKS_URL must be an address that begins with https://"]


def test_an_issuer_on_this_machine_may_do_without() -> None:
    assert Settings(oauth_issuers="http://localhost:9000").oauth_issuers == ("http://localhost:9000",)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("elsewhere", [{"host": "0.0.0.0"}, {"environment": "production", "mcp_api_key": STRONG}])
@pytest.mark.parametrize("accepted", [{"oauth_issuers": ISSUER}, {"mcp_jwt_secret": STRONG}])
def test_who_takes_tokens_must_know_its_own_address(elsewhere: dict[str, Any], accepted: dict[str, Any]) -> None:
    [problem] = problems_of(**elsewhere, **accepted)
    assert problem.startswith(f"PUBLIC_URL (or DOMAIN) must be set, because {next(iter(accepted)).upper()} is")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_on_this_machine_the_address_is_known(host: str) -> None:
    assert Settings(host=host, oauth_issuers=ISSUER).takes_tokens  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", ["oauth_jwks_url", "oauth_introspection_url"])
@pytest.mark.parametrize("issuers", [(), f"{ISSUER} https://second.example.com"])
def test_a_place_to_ask_belongs_to_one_issuer(name: str, issuers: Any) -> None:
    asked = {"oauth_introspection_client_id": "x", "oauth_introspection_client_secret": "y"}
    given = {**TOKENS, **asked, "mcp_api_key": STRONG, "oauth_issuers": issuers, name: f"{ISSUER}x"}
    assert problems_of(**given) == [f"{name.upper()} needs exactly one address in OAUTH_ISSUERS"]


def test_who_asks_about_tokens_says_who_it_is() -> None:
    assert problems_of(**TOKENS, oauth_introspection_url=f"{ISSUER}introspect") == [
        "OAUTH_INTROSPECTION_CLIENT_ID must be set as well, because OAUTH_INTROSPECTION_URL is",
        "OAUTH_INTROSPECTION_CLIENT_SECRET must be set as well, because OAUTH_INTROSPECTION_URL is",
    ]


def test_a_secret_that_signs_is_long_everywhere() -> None:
    [problem] = problems_of(mcp_api_key=STRONG, mcp_jwt_secret=STRONG[:31])
    assert problem.startswith("MCP_JWT_SECRET must have at least 32 characters")


def test_a_placeholder_signs_nothing_in_production() -> None:
    [problem] = problems_of(environment="production", domain="a.example", mcp_jwt_secret="your_" + STRONG)
    assert problem.startswith("MCP_JWT_SECRET is a placeholder")


def test_sessions_that_end_with_the_process_are_a_warning() -> None:
    [warning] = with_tokens(environment="production").warnings
    assert warning.startswith("SESSION_SECRET is not set")


def test_a_setting_for_tokens_is_not_used_without_an_issuer() -> None:
    assert warnings_of(oauth_audience="a", oauth_required_scopes="b") == [
        "OAUTH_AUDIENCE is not used unless OAUTH_ISSUERS or OAUTH_ENABLED is set",
        "OAUTH_REQUIRED_SCOPES is not used unless OAUTH_ISSUERS or OAUTH_ENABLED is set",
    ]
    assert warnings_of(**{**TOKENS, "mcp_api_key": STRONG}, oauth_introspection_client_id="a") == [
        "OAUTH_INTROSPECTION_CLIENT_ID is not used unless OAUTH_INTROSPECTION_URL is set"
    ]


@pytest.mark.parametrize("scopes", ['items"read', "back\\slash", "ümlaut"])
def test_what_is_no_scope_is_refused(scopes: str) -> None:
    [problem] = problems_of(**TOKENS, oauth_required_scopes=scopes)
    assert problem.startswith("OAUTH_REQUIRED_SCOPES must be a list")


def test_what_every_token_needs_is_what_clients_ask_for() -> None:
    settings = with_tokens(oauth_required_scopes="b a")
    assert settings.oauth_challenge_scopes == ("b", "a")
    assert with_tokens(oauth_challenge_scopes="c").oauth_challenge_scopes == ("c",)


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


@pytest.mark.parametrize("written", ["off", "OFF", " none ", "0", "false"])
def test_a_limit_can_be_off(written: str) -> None:
    settings = Settings(rate_limit=written)
    assert (settings.rate_limit, settings.rate_limit_per_key) == ("off", "off")


def test_the_rates_of_oauth_cannot_be_off() -> None:
    assert problems_of(oauth_rate="off") == [
        "OAUTH_RATE must be a rate such as 100/minute, or several such as 100/minute;5000/day"
    ]


def test_a_burst_of_a_limit_that_is_off_is_a_warning() -> None:
    assert warnings_of(rate_limit="off", rate_limit_per_key="5/minute", rate_limit_burst=5) == [
        "RATE_LIMIT_BURST is not used for a limit that is off"
    ]


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
        ({"rate_limit": "off"}, "RATE_LIMIT=off lets whoever guesses keys"),
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
