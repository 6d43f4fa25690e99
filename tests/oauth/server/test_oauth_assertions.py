"""Clients that sign who they are."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from issuing import CLAUDE, House, flow, house
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from sites import site

from mcp_server.oauth.server.assertions import BEARER, Assertions
from mcp_server.oauth.server.faults import Fault
from mcp_server.oauth.server.known import known_clients

SECRET = ec.generate_private_key(ec.SECP256R1())
ANOTHER = ec.generate_private_key(ec.SECP256R1())


def public(key: Any, **more: str) -> dict[str, Any]:
    kinds = (
        (ec.EllipticCurvePrivateKey, ECAlgorithm),
        (rsa.RSAPrivateKey, RSAAlgorithm),
        (ed25519.Ed25519PrivateKey, OKPAlgorithm),
    )
    written: Any = next(algorithm for kind, algorithm in kinds if isinstance(key, kind))
    return {**json.loads(written.to_jwk(key.public_key())), **more}


def entry(*keys: Mapping[str, Any]) -> str:
    said = {"client_id": "signer", "grant_types": ["client_credentials"], "jwks": {"keys": keys}}
    return json.dumps([said])


@pytest.fixture
def home() -> Generator[House]:
    with house(known=known_clients(entry(public(SECRET, kid="one", alg="ES256")))) as found:
        yield found


def claims(home: House, **changes: Any) -> dict[str, Any]:
    now = home.clock()
    said = {"iss": "signer", "sub": "signer", "aud": home.url, "jti": "once", "iat": now, "exp": now + 60, **changes}
    return {name: value for name, value in said.items() if value is not None}


def ask(home: House, assertion: str, **changes: Any) -> tuple[int, str]:
    said = {
        "grant_type": "client_credentials",
        "client_assertion": assertion,
        "client_assertion_type": BEARER,
        **changes,
    }
    with home.client() as http:
        answer = http.post("/token", data={name: value for name, value in said.items() if value is not None})
    return answer.status_code, answer.json().get("error", "")


GOOD, BAD = (200, ""), (401, "invalid_client")


@pytest.mark.parametrize("audience", ["", "/token"])
def test_a_client_proves_itself_with_its_key(home: House, audience: str) -> None:
    signed = jwt.encode(claims(home, aud=[home.url + audience]), SECRET, "ES256", {"kid": "one"})
    assert ask(home, signed) == GOOD
    signed = jwt.encode(claims(home, jti="again"), SECRET, "ES256")
    assert ask(home, signed, client_id="signer") == GOOD


def test_an_assertion_is_good_once(home: House) -> None:
    for changes in ({}, {"jti": None}):
        signed = jwt.encode(claims(home, **changes), SECRET, "ES256")
        assert [ask(home, signed), ask(home, signed)] == [GOOD, BAD]
    another = jwt.encode(claims(home, x="y"), SECRET, "ES256")
    assert ask(home, another) == BAD, "it is the jti that counts, where there is one"


@pytest.mark.parametrize("jti", [None, 7])
def test_a_signature_that_is_written_differently_makes_no_other_assertion(home: House, jti: Any) -> None:
    """Of an elliptic signature (r, s) anybody can make (r, n - s), which is as good."""
    signed = jwt.encode(claims(home, jti=jti, n=secrets.token_hex()), SECRET, "ES256")
    head, _, signature = signed.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    other = raw[:32] + (order - int.from_bytes(raw[32:])).to_bytes(32)
    twin = f"{head}.{base64.urlsafe_b64encode(other).rstrip(b'=').decode()}"
    assert ask(home, twin) == GOOD
    assert ask(home, signed) == BAD


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": 1},
        {"exp": 1 << 40},
        {"exp": float("nan")},
        {"nbf": 1 << 40},
        {"nbf": "x"},
        {"iss": "another"},
        {"sub": "another"},
        {"aud": "https://another.example"},
        {"aud": None},
        {"aud": [1, "https://another.example"]},
        {"aud": {"a": "b"}},
    ],
)
def test_an_assertion_for_something_else_is_refused(home: House, changes: dict[str, Any]) -> None:
    assert ask(home, jwt.encode(claims(home, **changes), SECRET, "ES256"), client_id="signer") == BAD


def test_an_assertion_that_is_not_signed_by_the_key_is_refused(home: House) -> None:
    pem = SECRET.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    public_part = json.dumps(public(SECRET)).encode()
    for signed in (
        jwt.encode(claims(home), ANOTHER, "ES256"),
        jwt.encode(claims(home), "", "none"),
        # The public key taken for a shared secret
        _hmac(claims(home), pem),
        _hmac(claims(home), public_part),
        jwt.encode(claims(home), SECRET, "ES256", {"kid": "another"}),
        jwt.encode(claims(home), SECRET, "ES256")[:-4] + "AAAA",
        "x.y.z",
        "not one",
    ):
        assert ask(home, signed, client_id="signer") == BAD


@pytest.mark.parametrize(
    "key",
    [
        {"kty": "oct", "alg": "none"},
        {"kty": "oct", "alg": "HS256"},
        {"kty": "EC", "alg": "none"},
        {"kty": "RSA", "alg": "HS256", "n": "AA", "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "!"},
    ],
)
def test_a_key_that_is_none_proves_nothing(home: House, key: dict[str, str]) -> None:
    """Anybody may register it."""
    with flow(home, client_id="none yet") as client:
        client.register(token_endpoint_auth_method="private_key_jwt", jwks={"keys": [key]})
        said = claims(home, iss=client.client_id, sub=client.client_id)
        assert ask(home, jwt.encode(said, SECRET, "ES256"), client_id=client.client_id) == BAD


def _hmac(said: dict[str, Any], key: bytes) -> str:
    """What PyJWT refuses to make: it takes the key for what it is."""
    import hashlib
    import hmac

    parts = [base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=") for each in ({"alg": "HS256"}, said)]
    signature = hmac.digest(key, b".".join(parts), hashlib.sha256)
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


def test_a_shared_secret_signs_nothing_even_where_it_is_taken_for_a_key(home: House) -> None:
    shared = b"x" * 32
    key = {"kty": "oct", "k": base64.urlsafe_b64encode(shared).rstrip(b"=").decode()}
    assertions = Assertions(home.store, [home.url], home.clock)
    with pytest.raises(Fault, match="not signed in a way"):
        home.run(assertions.check(jwt.encode(claims(home), shared, "HS256"), "signer", [key]))


def test_an_assertion_needs_its_type_and_a_client_that_signs(home: House) -> None:
    signed = jwt.encode(claims(home), SECRET, "ES256")
    assert ask(home, signed, client_assertion_type=None) == (400, "invalid_request")
    assert ask(home, signed, client_secret="x") == (400, "invalid_request")
    assert ask(home, jwt.encode({"sub": 1}, SECRET, "ES256")) == BAD
    with flow(home) as client:
        assert ask(home, signed, client_id=client.client_id) == BAD
    with home.client() as http:
        answer = http.post("/token", data={"grant_type": "client_credentials", "client_id": "signer"})
    assert answer.status_code == 401


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES384", "EdDSA"])
def test_keys_of_other_kinds_are_fine(algorithm: str) -> None:
    key: Any = {
        "RS256": lambda: rsa.generate_private_key(65537, 2048),
        "PS256": lambda: rsa.generate_private_key(65537, 2048),
        "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
    }[algorithm]()
    keys = (public(ANOTHER), {"kty": "toast"}, public(key))
    with house(known=known_clients(entry(*keys))) as home:
        assert ask(home, jwt.encode(claims(home), key, algorithm)) == GOOD


def test_the_keys_of_a_document_may_be_at_an_address_of_their_own(tmp_path: Path) -> None:
    with site(tmp_path) as other, house(http=other.http, resolve=other.resolve, loopback_documents=True) as home:
        said = {"client_id": other.url(), "client_name": "Signer", "redirect_uris": [CLAUDE[0]]}
        said |= {"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": other.url("/keys.json")}
        other.pages["/client.json"] = said
        with flow(home, client_id=other.url()) as client:
            about = {"iss": other.url(), "sub": other.url()}
            proof = {"client_assertion_type": BEARER, "redirect_uri": CLAUDE[0]}
            signed = jwt.encode(claims(home, **about), SECRET, "ES256")
            assert client.redeem(client.code(), client_assertion=signed, **proof).status_code == 503
            other.pages["/keys.json"] = {"keys": [public(SECRET)]}
            assert client.redeem(client.code(), client_assertion=signed, **proof).status_code == 200
            signed = jwt.encode(claims(home, **about, jti="next"), SECRET, "ES256")
            assert client.redeem(client.code(), client_assertion=signed, **proof).status_code == 200
            assert client.redeem(client.code()).status_code == 401
        assert [path for _, path in other.asked] == ["/client.json", "/keys.json", "/keys.json"]
