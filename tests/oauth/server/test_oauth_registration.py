"""Clients that introduce themselves."""

from __future__ import annotations

import json
from typing import Any

import pytest
from issuing import CLAUDE, Flow, House, flow, house

from mcp_server.oauth.server.registrations import KIND

KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
}


def register(home: House, **metadata: Any) -> Any:
    with home.client() as http:
        return http.post("/register", json=metadata)


def test_a_public_client_is_registered(home: House) -> None:
    answer = register(
        home,
        client_name="Claude",
        redirect_uris=list(CLAUDE),
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        token_endpoint_auth_method="none",
        scope="read write",
        application_type="web",
        client_uri="https://claude.ai",
        software_id="anything",
    )
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    said = answer.json()
    assert said["redirect_uris"] == list(CLAUDE)
    assert said["grant_types"] == ["authorization_code", "refresh_token"]
    assert (said["token_endpoint_auth_method"], said["application_type"]) == ("none", "web")
    assert (said["client_name"], said["client_uri"]) == ("Claude", "https://claude.ai")
    assert "client_secret" not in said


def test_of_a_key_only_what_is_understood_is_kept(home: House) -> None:
    key = {"kty": "EC", "crv": "P-256", "x": "eA", "y": "eQ", "kid": "one"}
    with flow(home, client_id="none yet") as client:
        junk: dict[str, Any] = {"x5c": ["MIIC"] * 100, "deep": [[[[]]]], "use": 7}
        said = client.register(token_endpoint_auth_method="private_key_jwt", jwks={"keys": [{**key, **junk}]})
        assert said["jwks"] == {"keys": [key]}


def test_a_client_that_says_nothing_about_its_proof_gets_a_secret(home: House) -> None:
    said = register(home, redirect_uris=["http://127.0.0.1/cb"]).json()
    assert said["token_endpoint_auth_method"] == "client_secret_basic"
    assert said["client_secret_expires_at"] == 0
    record = home.run(home.store.get(KIND, said["client_id"]))
    assert said["client_secret"].encode() not in record.value


def test_a_client_with_keys_is_registered(home: House) -> None:
    answer = register(
        home, redirect_uris=[CLAUDE[0]], token_endpoint_auth_method="private_key_jwt", jwks={"keys": [KEY]}
    )
    assert answer.json()["jwks"] == {"keys": [KEY]}


@pytest.mark.parametrize(
    "uris",
    [
        None,
        [],
        "https://a.example/",
        [1],
        [CLAUDE[0], "javascript:alert(1)"],
        ["data:text/html,x"],
        ["http://a.example/cb"],
        ["https://a.example/cb#x"],
        ["https://a@b.example/cb"],
        ["https://*.example/cb"],
        [f"https://a.example/{n}" for n in range(21)],
    ],
)
def test_dangerous_addresses_are_not_registered(home: House, uris: Any) -> None:
    answer = register(home, redirect_uris=uris)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_redirect_uri")


@pytest.mark.parametrize(
    "metadata",
    [
        {"token_endpoint_auth_method": "tls_client_auth"},
        {"token_endpoint_auth_method": 1},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": []}},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [{**KEY, "d": "x"}]}},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [{"kty": "oct", "k": "x"}]}},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": ["x"]}},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks": "x"},
        {"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "http://a.example/keys"},
        {"grant_types": ["client_credentials"]},
        {"grant_types": ["implicit"]},
        {"grant_types": "authorization_code"},
        {"response_types": ["token"]},
        {"application_type": "toaster"},
        {"client_name": ["x"]},
    ],
)
def test_what_this_server_does_not_do_is_not_registered(home: House, metadata: dict[str, Any]) -> None:
    answer = register(home, redirect_uris=[CLAUDE[0]], **metadata)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b"{", b'{"a": NaN}', b"[" * 10_000, b"\xff"])
def test_what_is_no_json_object_is_not_registered(home: House, body: bytes) -> None:
    with home.client() as http:
        answer = http.post("/register", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")


def test_a_registration_has_to_be_json_and_short(home: House) -> None:
    with home.client() as http:
        assert http.post("/register", data={"redirect_uris": "x"}).json()["error"] == "invalid_request"
        long = json.dumps({"redirect_uris": [CLAUDE[0]], "x": "y" * 20_000}).encode()
        assert http.post("/register", content=long, headers={"content-type": "application/json"}).status_code == 413


def test_a_name_is_kept_without_what_nobody_sees(home: House) -> None:
    said = register(home, redirect_uris=[CLAUDE[0]], client_name="Cla\u202eude\x00\n " + "x" * 500).json()
    assert said["client_name"].startswith("Claude")
    assert len(said["client_name"]) == 200


def test_a_site_that_is_no_address_is_left_out(home: House) -> None:
    for uri in ("javascript:alert(1)", "claude.ai", "cursor://x"):
        assert "client_uri" not in register(home, redirect_uris=[CLAUDE[0]], client_uri=uri).json()


def test_a_registration_that_nobody_signs_in_with_ends_after_a_day(claude: Flow) -> None:
    claude.house.clock.now += 86_400
    assert claude.authorize().status_code == 400


def test_a_registration_that_is_in_use_lasts(claude: Flow) -> None:
    tokens = claude.tokens()
    for _ in range(20):
        claude.house.clock.now += 20 * 86_400
        tokens = claude.refresh(tokens["refresh_token"]).json()
    claude.house.clock.now += 90 * 86_400
    assert claude.refresh(tokens["refresh_token"]).status_code == 401


def test_a_flood_of_registrations_is_refused_by_address() -> None:
    with house(registration_rate="3/minute") as home, home.client() as http:
        said = {"redirect_uris": [CLAUDE[0]]}
        answers = [http.post("/register", json=said) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [201] * 3 + [429]
        assert http.post("/register", json=said, headers={"x-forwarded-for": "192.0.2.1"}).status_code == 201


def test_a_flood_of_registrations_from_many_addresses_is_bounded() -> None:
    with house(registrations_per_day=5) as home, home.client() as http:
        said = {"redirect_uris": [CLAUDE[0]]}
        found = [
            http.post("/register", json=said, headers={"x-forwarded-for": f"192.0.2.{n}"}).status_code for n in range(7)
        ]
        assert found == [201] * 5 + [429] * 2
        assert len(home.run(home.store.find(KIND))) == 5


def test_registration_can_be_turned_off() -> None:
    with house(registration=False) as home, home.client() as http:
        assert http.post("/register", json={"redirect_uris": [CLAUDE[0]]}).status_code == 404
        assert "registration_endpoint" not in http.get("/.well-known/oauth-authorization-server").json()


def test_registration_can_need_a_key() -> None:
    with house(registration_key="the key of the operator") as home, home.client() as http:
        said = {"redirect_uris": [CLAUDE[0]]}
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic the key of the operator"}):
            answer = http.post("/register", json=said, headers=headers)
            assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
            assert answer.headers["www-authenticate"].startswith("Bearer")
        good = {"authorization": "Bearer the key of the operator"}
        assert http.post("/register", json=said, headers=good).status_code == 201


def test_a_client_with_a_secret_needs_it_and_pkce_as_well(home: House) -> None:
    with flow(home, client_id="none yet") as client:
        secret = client.register(token_endpoint_auth_method="client_secret_post")["client_secret"]
        assert client.redeem(client.code()).status_code == 401
        assert client.redeem(client.code(), client_secret=secret, code_verifier=None).status_code == 400
        assert client.redeem(client.code(), client_secret=secret).status_code == 200
