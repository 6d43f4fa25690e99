"""Resources at fixed URIs, and templates for many; both turn what a function returned into contents."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, cast

from typing_extensions import Unpack

from mcp_server.registry.completions import Completer, completer_from, completer_of
from mcp_server.registry.content import as_json, dumped, is_content, is_foreign
from mcp_server.registry.docstrings import parse
from mcp_server.registry.errors import OutputMismatch, RegistrationError
from mcp_server.registry.listing import Item, Labels, named, positive, without_none
from mcp_server.registry.media import Audio, EmbeddedResource, File, Image, encoded
from mcp_server.registry.signatures import MISSING, Hidden, Signature, read
from mcp_server.registry.strings import StringArguments, choices, string_arguments
from mcp_server.registry.templates import Template, is_template

CacheScope: TypeAlias = Literal["public", "private"]
Audience: TypeAlias = Literal["user", "assistant"]

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_FOREIGN_CONTENTS: Final = ("TextResourceContents", "BlobResourceContents")
_TEXT: Final = "text/plain"
_JSON: Final = "application/json"
_BYTES: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """For whom a resource is, how important from 0 to 1, and when it was last modified (ISO 8601)."""

    audience: Sequence[Audience] = ()
    priority: float | None = None
    last_modified: str | None = None

    def __post_init__(self) -> None:
        if self.priority is not None and not 0 <= self.priority <= 1:
            raise RegistrationError("`priority` goes from 0 to 1")

    def listing(self) -> dict[str, Any]:
        """The notes under the names of the wire."""
        audience = list(self.audience) or None
        return without_none({"audience": audience, "priority": self.priority, "lastModified": self.last_modified})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Readable(Item):
    """What resources and templates have in common."""

    function: Callable[..., Any]
    is_async: bool
    hidden: tuple[Hidden, ...]
    mime_type: str | None = None
    notes: Notes = field(default_factory=Notes)
    timeout: float | None = None
    ttl_ms: int | None = None
    cache_scope: CacheScope | None = None
    contents_meta: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def kept_for(self) -> CacheScope | None:
        """Whom a client may show what it keeps; None for what the server says."""
        return "private" if self.scopes else self.cache_scope

    def contents(self, value: Any, uri: str) -> list[dict[str, Any]]:
        """The contents for what the function returned; raises `OutputMismatch`."""
        contents = self._contents(value, uri)
        if self.contents_meta:
            return [{**each, "_meta": {**self.contents_meta, **each.get("_meta", {})}} for each in contents]
        return contents

    def _contents(self, value: Any, uri: str) -> list[dict[str, Any]]:
        if is_foreign(value, "ReadResourceResult"):
            return dumped(value)["contents"]
        if isinstance(value, list | tuple):
            items = cast("Sequence[Any]", value)
            if items and all(map(_is_contents, items)):
                return [_contents(item, uri, self.mime_type) for item in items]
        return [_contents(value, uri, self.mime_type)]

    def _entry(self, place: Mapping[str, Any]) -> dict[str, Any]:
        entry = Item.listing(self)
        meta = entry.pop("_meta", None)
        about = {"mimeType": self.mime_type, "annotations": self.notes.listing() or None, "_meta": meta}
        return {**place, **entry} | without_none(about)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resource(_Readable):
    """A resource at one URI."""

    uri: str
    size: int | None = None

    def listing(self) -> dict[str, Any]:
        """The entry in `resources/list`, in the form of the newest version."""
        return self._entry({"uri": self.uri}) | without_none({"size": self.size})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ResourceTemplate(_Readable):
    """Resources at all URIs of one form."""

    template: Template
    inputs: StringArguments
    completers: Mapping[str, Completer] = field(default_factory=dict[str, Completer])

    @property
    def uri_template(self) -> str:
        """The template as it was written."""
        return self.template.text

    def arguments(self, variables: Mapping[str, str]) -> dict[str, Any]:
        """The keyword arguments of the call from matched variables; raises `InvalidArguments`."""
        return self.inputs.validate(variables)

    def with_completer(self, variable: str, function: Callable[..., Any]) -> ResourceTemplate:
        """The same template, completing this variable; raises `RegistrationError` if there is none of the name."""
        if variable not in self.template.variables:
            raise RegistrationError(f"{self.uri_template!r} has no variable {variable!r}")
        return replace(self, completers={**self.completers, variable: completer_from(function)})

    def listing(self) -> dict[str, Any]:
        """The entry in `resources/templates/list`, in the form of the newest version."""
        return self._entry({"uriTemplate": self.uri_template})


class ResourceOptions(Labels, total=False):
    """How a resource may be described beyond its function."""

    name: str | None
    description: str | None
    mime_type: str | None
    audience: Sequence[Audience]
    priority: float | None
    last_modified: str | None
    timeout: float | None
    ttl_ms: int | None
    cache_scope: CacheScope | None
    contents_meta: Mapping[str, Any]


def resource_from(
    function: Callable[..., Any],
    uri: str,
    *,
    context_type: type | None = None,
    size: int | None = None,
    **options: Unpack[ResourceOptions],
) -> Resource:
    """A resource from a function without arguments; raises `RegistrationError` with what to write instead."""
    signature = read(function, context_type=context_type)
    required = [parameter.name for parameter in signature.parameters if parameter.required]
    if required:
        name = required[0]
        raise RegistrationError(f"resource {uri}: nothing gives {name!r} a value: put {{{name}}} into the URI")
    return _resource(uri, function, signature, size, options)


def template_from(
    function: Callable[..., Any],
    uri_template: str,
    *,
    context_type: type | None = None,
    **options: Unpack[ResourceOptions],
) -> ResourceTemplate:
    """A template from a function whose parameters are its variables; raises `RegistrationError`."""
    template = Template(uri_template)
    _refuse_relative(uri_template)
    signature = read(function, context_type=context_type)
    _refuse_mismatch(template, signature)
    known = {parameter.name: choices(parameter.annotation) for parameter in signature.parameters}
    return ResourceTemplate(
        **_described(function, signature, options),
        template=template,
        inputs=string_arguments(signature.parameters),
        completers={name: completer_of(texts) for name, texts in known.items() if texts},
    )


def fixed_resource(
    uri: str,
    *,
    text: str | None = None,
    data: bytes | None = None,
    path: str | Path | None = None,
    **options: Unpack[ResourceOptions],
) -> Resource:
    """A resource from a text, from bytes, or from a file that is read each time; raises `RegistrationError`."""
    if [text, data, path].count(None) != 2:  # noqa: PLR2004 - all but one
        raise RegistrationError(f"resource {uri}: give one of `text=`, `data=` and `path=`")
    name = options.get("name") or uri.rpartition("/")[2] or uri
    if path is not None:
        file = File(path=path, mime_type=options.get("mime_type"))
        described: ResourceOptions = {**options, "name": name, "mime_type": file.kind}
        return _resource(uri, lambda: file, _SILENT, None, described)
    value = data if text is None else text
    size = len(value.encode() if isinstance(value, str) else value or b"")
    described = {**options, "name": name}
    return _resource(uri, lambda: value, _SILENT, size, described)


def _resource(
    uri: str, function: Callable[..., Any], signature: Signature, size: int | None, options: ResourceOptions
) -> Resource:
    if is_template(uri):
        raise RegistrationError(f"resource {uri}: it has variables: register it as a template")
    _refuse_relative(uri)
    return Resource(**_described(function, signature, options), uri=uri, size=size)


def _described(function: Callable[..., Any], signature: Signature, options: ResourceOptions) -> dict[str, Any]:
    """The fields that resources and templates share."""
    doc = parse(signature.doc).description
    if options.get("scopes") and options.get("cache_scope") == "public":
        raise RegistrationError("what needs `scopes` is not for everybody: leave out `cache_scope`, or write `private`")
    return {
        **named(options.get("name") or signature.name, options.get("description") or doc, options),
        "function": function,
        "is_async": signature.is_async,
        "hidden": signature.hidden,
        "mime_type": options.get("mime_type"),
        "notes": Notes(
            audience=tuple(options.get("audience", ())),
            priority=options.get("priority"),
            last_modified=options.get("last_modified"),
        ),
        "timeout": positive("timeout", options.get("timeout")),
        "ttl_ms": _not_negative(options.get("ttl_ms")),
        "cache_scope": options.get("cache_scope"),
        "contents_meta": dict(options.get("contents_meta", {})),
    }


def _not_negative(ttl_ms: int | None) -> int | None:
    if ttl_ms is not None and ttl_ms < 0:
        raise RegistrationError("`ttl_ms` must be at least 0, which forbids caching")
    return ttl_ms


def _refuse_relative(uri: str) -> None:
    if not _SCHEME.match(uri):
        raise RegistrationError(f"{uri!r} is no URI: begin with a scheme, as in catalog://items")


def _refuse_mismatch(template: Template, signature: Signature) -> None:
    """The variables of a template are the parameters of its function, neither more nor fewer."""
    parameters = {parameter.name: parameter for parameter in signature.parameters}
    for name in template.variables:
        if name not in parameters:
            raise RegistrationError(
                f"template {template.text}: the function has no parameter `{name}`: add `{name}: str`"
            )
        if name in template.optional and parameters[name].required:
            raise RegistrationError(f"template {template.text}: a URI may leave {name!r} out: give it a default")
    for name in parameters:
        if name not in template.variables:
            raise RegistrationError(f"template {template.text}: nothing gives {name!r} a value: add {{?{name}}}")


def _is_contents(value: Any) -> bool:
    """Whether a value knows that it is the contents of a resource."""
    return isinstance(value, EmbeddedResource | File) or any(is_foreign(value, name) for name in _FOREIGN_CONTENTS)


def _contents(value: Any, uri: str, mime_type: str | None) -> dict[str, Any]:
    if isinstance(value, str):
        return {"uri": uri, "mimeType": mime_type or _TEXT, "text": value}
    if isinstance(value, bytes):
        return {"uri": uri, "mimeType": mime_type or _BYTES, "blob": encoded(value)}
    if isinstance(value, EmbeddedResource | File):
        return value.contents(value.uri or uri)
    if _is_contents(value):
        return dumped(value)
    if isinstance(value, Image | Audio):
        return {"uri": uri, "mimeType": mime_type or value.kind, "blob": encoded(value.read())}
    if value is None or is_content(value):
        raise OutputMismatch(f"a resource returns text, bytes, a File or data, not {type(value).__name__}")
    return {"uri": uri, "mimeType": mime_type or _JSON, "text": as_json(value).decode()}


_SILENT: Final = Signature(
    name="", doc=None, parameters=(), hidden=(), returns=MISSING, is_async=False, takes_any=False
)
