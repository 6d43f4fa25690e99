"""An OpenID provider and a GitHub in small: real keys, real codes, and knobs by which they can be made to lie."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from login_house import running
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT, SECRET = "the-server", "s3cret:with/signs"

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass
class Provider:
    """What it says; tests turn the knobs."""

    url: str = ""
    key: Key = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    algorithm: str = "RS256"
    kid: str | None = "k1"
    user: dict[str, Any] = field(
        default_factory=lambda: {
            "sub": "auth0|1234",
            "name": "Anna Example",
            "email": "anna@example.com",
            "email_verified": True,
        }
    )
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    """What its discovery document says otherwise than it should."""
    claims: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
    token: Callable[[str], str] = lambda token: token
    answer: Callable[[dict[str, str]], dict[str, str]] = lambda answer: answer
    """What the browser brings back."""
    userinfo: dict[str, Any] | None = None
    emails: Any = None
    asked: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    fetched_keys: int = 0
    takes: str = "both"
    """Where a client's secret is looked for: in the header, in the form, or in both."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/authorize", self._authorize),
                Route("/login/oauth/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/login/oauth/access_token", self._token, methods=["POST"]),
                Route("/jwks", self._jwks),
                Route("/userinfo", self._userinfo),
                Route("/user", self._user),
                Route("/user/emails", self._emails),
            ]
        )

    async def _discovery(self, _: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/jwks",
                "userinfo_endpoint": f"{self.url}/userinfo",
                "authorization_response_iss_parameter_supported": True,
                **self.metadata,
            }
        )

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self.asked.append(asked)
        code = secrets.token_urlsafe()
        self.codes[code] = asked
        answer = self.answer({"code": code, "state": asked["state"], "iss": self.url})
        # As providers do: there is a page, and the person presses something on it.
        target = f"{asked['redirect_uri']}?{urlencode(answer)}"
        if "by-hand" in request.headers.get("user-agent", ""):
            return RedirectResponse(target, 302)
        return HTMLResponse(f"<title>The provider</title><a href='{target.replace('&', '&amp;')}'>I am Anna</a>")

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        own = (form.get("client_id"), form.get("client_secret"))
        basic = request.headers.get("authorization")
        if (basic is None and self.takes == "header") or (basic is not None and self.takes == "form"):
            return JSONResponse({"error": "invalid_client"}, 401)
        if basic is not None:
            pair = base64.b64decode(basic.removeprefix("Basic ")).decode().partition(":")
            own = (unquote(pair[0]), unquote(pair[2]))
        asked = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if asked is None or challenge != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        if own != (CLIENT, SECRET):
            return JSONResponse({"error": "invalid_client"}, 401)
        tokens = {"access_token": "at", "token_type": "Bearer"}
        if "nonce" in asked:
            tokens["id_token"] = self.token(self.identity(asked["nonce"]))
        return JSONResponse(tokens)

    def identity(self, nonce: str) -> str:
        now = int(time.time())
        said = {"iss": self.url, "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": nonce, **self.user}
        headers = {} if self.kid is None else {"kid": self.kid}
        return jwt.encode(self.claims(said), self.key, algorithm=self.algorithm, headers=headers)

    async def _jwks(self, _: Request) -> Response:
        self.fetched_keys += 1
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        public: Any = self.key.public_key()
        known = json.loads(algorithm.to_jwk(public))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        return JSONResponse({"keys": [{**known, "use": "sig", **({} if self.kid is None else {"kid": self.kid})}]})

    async def _userinfo(self, request: Request) -> Response:
        assert request.headers["authorization"] == "Bearer at"
        return JSONResponse(self.userinfo)

    async def _user(self, request: Request) -> Response:
        assert request.headers["authorization"] == "Bearer at"
        return JSONResponse(self.user)

    async def _emails(self, _: Request) -> Response:
        return JSONResponse(self.emails)


@contextmanager
def provider(**knobs: Any) -> Generator[Provider]:
    """A provider that listens, until the context ends."""
    found = Provider(**knobs)
    with running(found.app()) as url:
        found.url = url
        yield found
