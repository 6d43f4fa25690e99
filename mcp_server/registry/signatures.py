"""A function's signature, read once: what the caller gives, what the server gives, what comes back.

Only Python is known here. Which schema an annotation has, and whether a name may be published, is decided elsewhere.
"""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic.fields import FieldInfo

from mcp_server.registry.errors import RegistrationError

MISSING: Final = inspect.Signature.empty
"""Stands for a default or a return annotation that was not written."""

_PACKAGE: Final = __name__.partition(".")[0]
_T = TypeVar("_T")


class Injected:
    """Marks a parameter that the server's lifespan supplies and no caller sees."""


Inject = Annotated[_T, Injected]
"""`database: Inject[Database]` asks the server's lifespan for a `Database`."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter that the caller gives; `default` is `MISSING` where Python has none."""

    name: str
    annotation: Any
    default: Any
    required: bool


@dataclass(frozen=True, slots=True)
class Hidden:
    """A parameter that the server gives: the request's context, or a dependency known by its type."""

    name: str
    kind: Literal["context", "injected"]
    type: Any


@dataclass(frozen=True, slots=True)
class Signature:
    """What is known of a function; `takes_any` says that it has `**kwargs`."""

    name: str
    doc: str | None
    parameters: tuple[Parameter, ...]
    hidden: tuple[Hidden, ...]
    returns: Any
    is_async: bool
    takes_any: bool


def read(function: Callable[..., Any], *, context_type: type | None = None, schema_given: bool = False) -> Signature:
    """Read a function; raises `RegistrationError` for a parameter that could not be published.

    With `schema_given`, the caller's side is described by a ready-made schema, so that `**kwargs` and parameters
    without annotations are in order.
    """
    target = _target(function)
    parameters: list[Parameter] = []
    hidden: list[Hidden] = []
    takes_any = False
    for parameter in inspect.signature(function).parameters.values():
        if schema_given and parameter.kind is parameter.VAR_KEYWORD:
            takes_any = True
            continue
        _refuse_unnameable(parameter)
        annotation = _resolved(target, parameter.name, parameter.annotation)
        server_gives = _hidden(parameter.name, annotation, context_type)
        if server_gives:
            hidden.append(server_gives)
        else:
            parameters.append(_parameter(parameter, annotation, schema_given=schema_given))
    return Signature(
        name=function_name(function),
        doc=target.__doc__ or (None if inspect.isroutine(function) else type(function).__doc__),
        parameters=tuple(parameters),
        hidden=tuple(hidden),
        returns=_resolved(target, "return", inspect.signature(function).return_annotation),
        is_async=inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(target),
        takes_any=takes_any,
    )


def function_name(function: Callable[..., Any]) -> str:
    """The name a function was defined with; of a partial what it wraps, of a callable object its class."""
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__name__", type(function).__name__)


def _target(function: Callable[..., Any]) -> Callable[..., Any]:
    """The plain function behind partials, bound methods and callable objects."""
    while isinstance(function, functools.partial):
        function = function.func
    if not inspect.isroutine(function):
        function = type(function).__call__
    return function.__func__ if inspect.ismethod(function) else function


def _refuse_unnameable(parameter: inspect.Parameter) -> None:
    name = parameter.name
    if parameter.kind is parameter.VAR_POSITIONAL:
        raise RegistrationError(f"`*{name}` cannot be described to a caller: write `{name}: list[str]`")
    if parameter.kind is parameter.VAR_KEYWORD:
        raise RegistrationError(f"`**{name}` cannot be described to a caller: write `{name}: dict[str, str]`")
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise RegistrationError(f"`{name}` is positional-only, but arguments have names: take the `/` out")


def _parameter(parameter: inspect.Parameter, annotation: Any, *, schema_given: bool) -> Parameter:
    name, default = parameter.name, parameter.default
    if annotation is MISSING and not schema_given:
        raise RegistrationError(f"`{name}` has no type: write `{name}: str`, or whatever type it takes")
    if isinstance(default, FieldInfo):
        # `limit: int = Field(10, ge=1)`: the field holds the default, and pydantic has to fill it in
        return Parameter(name, Annotated[annotation, default], MISSING, default.is_required())
    field_default = any(not field.is_required() for field in _fields_in(annotation))
    if field_default and default is not MISSING:
        raise RegistrationError(f"`{name}` has two defaults: keep `= {default!r}` and take out the field's")
    return Parameter(name, annotation, default, default is MISSING and not field_default)


def _fields_in(annotation: Any) -> Iterator[FieldInfo]:
    return (mark for mark in getattr(annotation, "__metadata__", ()) if isinstance(mark, FieldInfo))


def _hidden(name: str, annotation: Any, context_type: type | None) -> Hidden | None:
    alternatives = _alternatives(annotation)
    if context_type and any(context_type in {part, typing.get_origin(part)} for part in alternatives):
        return Hidden(name, "context", context_type)
    for part in (annotation, *alternatives):
        marks = getattr(part, "__metadata__", ())
        if any(mark is Injected or isinstance(mark, Injected) for mark in marks):
            return Hidden(name, "injected", part.__origin__)
    return None


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        return typing.get_args(annotation)
    return (annotation,)


def _resolved(target: Callable[..., Any], name: str, annotation: Any) -> Any:
    """The annotation as an object, with `Annotated` metadata kept."""
    if annotation is MISSING:
        return MISSING
    source = inspect.unwrap(target)
    enclosed: Mapping[str, Any] = inspect.getclosurevars(source).nonlocals if inspect.isfunction(source) else {}
    names = getattr(source, "__globals__", {})
    try:
        return _evaluated(name, annotation, names, enclosed)
    except NameError:
        # A class made inside a function is known only there, and that function is still running.
        local = {**_callers_locals(), **enclosed}
    except Exception as error:
        raise _unresolvable(name, annotation, error) from error
    try:
        return _evaluated(name, annotation, names, local)
    except Exception as error:
        raise _unresolvable(name, annotation, error) from error


def _evaluated(name: str, annotation: Any, names: Mapping[str, Any], local: Mapping[str, Any]) -> Any:
    holder = types.SimpleNamespace(__annotations__={name: annotation})
    return typing.get_type_hints(holder, dict(names), dict(local), include_extras=True)[name]


def _callers_locals() -> Mapping[str, Any]:
    """The local names of the code that registers: those of the nearest frame outside this package."""
    frame = inspect.currentframe()
    while frame and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        frame = frame.f_back
    return dict(frame.f_locals) if frame else {}


def _unresolvable(name: str, annotation: Any, error: Exception) -> RegistrationError:
    where = "the return type" if name == "return" else f"`{name}`"
    return RegistrationError(
        f"the annotation {annotation!r} of {where} cannot be resolved ({error}): import its names at module level, "
        "outside `if TYPE_CHECKING`"
    )
