"""What a tool can ask of the user and of the client: a form, a visit to a page, a completion by the model, its roots.

Here a question gets its shape on the wire, and an answer its shape in Python. How the question travels, in which
version, is the business of the call.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from mcp_server.engine.asking import ask
from mcp_server.engine.calls import Call
from mcp_server.engine.forms import check_form, fits
from mcp_server.protocol.messages import is_list, is_object
from mcp_server.protocol.versions import V2025_11_25

D = TypeVar("D")

_ELICIT: Final = "elicitation/create"
_SAMPLE: Final = "sampling/createMessage"
_ROOTS: Final = "roots/list"

_PAGE: Final = re.compile(
    r"(https://[^/?#@\s\\]+|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?)([/?#]\S*)?", re.IGNORECASE
)
"""A page that nobody can read or change on its way, or one of this machine."""


@dataclass(frozen=True, slots=True)
class Elicited(Generic[D]):
    """How the user answered: `data` is what was filled in, if it was accepted."""

    action: Literal["accept", "decline", "cancel"]
    data: D | None = None

    @property
    def accepted(self) -> bool:
        """Whether the user has filled in the form, or agreed to visit the page."""
        return self.action == "accept"


@dataclass(frozen=True, slots=True)
class Sampled:
    """What the client's model has said."""

    text: str
    content: Any
    model: str | None
    stop_reason: str | None


async def elicit_form(call: Call, message: str, schema: type[BaseModel] | Mapping[str, Any], key: str | None) -> Any:
    """Have the user fill in a form."""
    form = _form_of(schema)
    check_form(form)
    params = {"mode": "form", "message": message, "requestedSchema": form}

    def read(answer: Mapping[str, Any]) -> Elicited[Any] | None:
        if answer.get("action") in {"decline", "cancel"}:
            return Elicited(answer["action"])
        content = answer.get("content")
        if answer.get("action") != "accept" or not fits(form, content):
            return None
        if isinstance(schema, Mapping):
            return Elicited("accept", content)
        try:
            return Elicited("accept", schema.model_validate_json(to_json(content), strict=True))
        except ValidationError:
            return None

    return await ask(call, _ELICIT, params, {"elicitation": {}}, read, key=key)


async def elicit_url(call: Call, message: str, url: str, key: str | None) -> Elicited[None]:
    """Have the user visit a page, for what must not pass through the client; raises `ValueError` for what is none."""
    _refuse_in_clear(url)
    params = {"mode": "url", "message": message, "url": url}
    if call.request.peer.version == V2025_11_25:
        params["elicitationId"] = secrets.token_urlsafe(16)

    def read(answer: Mapping[str, Any]) -> Elicited[None] | None:
        action = answer.get("action")
        return Elicited(action) if action in {"accept", "decline", "cancel"} else None

    return await ask(call, _ELICIT, params, {"elicitation": {"url": {}}}, read, key=key)


async def sample(call: Call, messages: str | Sequence[Any], options: Mapping[str, Any], key: str | None) -> Sampled:
    """Have the client's model say something."""
    conversation = [messages] if isinstance(messages, str) else messages
    given = {name: value for name, value in options.items() if value is not None}
    params = {"messages": [_message(each) for each in conversation], **given}

    def read(answer: Mapping[str, Any]) -> Sampled | None:
        content = answer.get("content")
        if content is None:
            return None
        blocks = content if is_list(content) else [content]
        text = "\n".join(block["text"] for block in blocks if is_object(block) and "text" in block)
        return Sampled(text, content, answer.get("model"), answer.get("stopReason"))

    return await ask(call, _SAMPLE, params, {"sampling": {}}, read, key=key)


async def roots(call: Call, key: str | None) -> list[dict[str, Any]]:
    """The client's roots: each has a `uri` and perhaps a `name`."""

    def read(answer: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        found = answer.get("roots")
        return found if is_list(found) else None

    return await ask(call, _ROOTS, {}, {"roots": {}}, read, key=key)


def _refuse_in_clear(url: str) -> None:
    if not _PAGE.fullmatch(url):
        msg = "elicit_url takes an address that begins with https:// or http://localhost, and has no password in it"
        raise ValueError(msg)


def _form_of(schema: type[BaseModel] | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(schema, Mapping):
        return dict(schema)
    published = schema.model_json_schema()
    definitions = published.pop("$defs", {})
    published["properties"] = {
        name: _inlined(field, definitions) for name, field in published.get("properties", {}).items()
    }
    published.pop("title", None)
    return published


def _inlined(field: dict[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """A field with its enumeration in place; forms have no references."""
    if "items" in field:
        return {**field, "items": _inlined(field["items"], definitions)}
    reference: str | None = field.pop("$ref", None)
    return field if reference is None else {**definitions[reference.rpartition("/")[2]], **field}


def _message(message: Any) -> dict[str, Any]:
    if isinstance(message, str):
        return {"role": "user", "content": {"type": "text", "text": message}}
    return message.listing() if hasattr(message, "listing") else dict(message)
