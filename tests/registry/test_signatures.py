from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from pydantic import BaseModel, Field

from mcp_server.registry import Inject, Injected, RegistrationError
from mcp_server.registry.signatures import MISSING, Hidden, read

if TYPE_CHECKING:
    from decimal import Decimal


class Context: ...


class Database: ...


def search(query: str, limit: int = 10) -> list[str]:
    """Find."""
    return [query] * limit


class Shop:
    """A shop."""

    def method(self, item: int) -> None: ...

    @classmethod
    def on_class(cls, item: int) -> None: ...

    @staticmethod
    def static(item: int) -> None: ...

    def __call__(self, item: int) -> None: ...


class AsyncCall:
    async def __call__(self) -> None:
        """Wait."""


def test_parameters_keep_order_defaults_and_types() -> None:
    signature = read(search)
    assert [(each.name, each.annotation, each.required) for each in signature.parameters] == [
        ("query", str, True),
        ("limit", int, False),
    ]
    assert (signature.name, signature.doc, signature.is_async) == ("search", "Find.", False)
    assert signature.returns == list[str]


@pytest.mark.parametrize("function", [Shop().method, Shop.on_class, Shop.static, Shop()])
def test_everything_that_can_be_called_can_be_read(function: Callable[..., Any]) -> None:
    assert [each.name for each in read(function).parameters] == ["item"]


def test_a_callable_object_has_the_name_and_text_of_its_class() -> None:
    signature = read(Shop())
    assert (signature.name, signature.doc) == ("Shop", "A shop.")


def test_an_asynchronous_callable_object_is_asynchronous() -> None:
    signature = read(AsyncCall())
    assert (signature.is_async, signature.doc) == (True, "Wait.")


def test_a_partial_hides_what_it_binds_by_position() -> None:
    signature = read(functools.partial(search, "x"))
    assert (signature.name, [each.name for each in signature.parameters]) == ("search", ["limit"])


def test_a_wrapped_function_is_read_through_its_wrapper() -> None:
    @functools.wraps(search)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return search(*args, **kwargs)

    assert [each.name for each in read(wrapper).parameters] == ["query", "limit"]


def test_a_context_is_hidden_whether_or_not_it_is_optional() -> None:
    def plain(ctx: Context) -> None: ...
    def optional(ctx: Context | None = None) -> None: ...

    for function in (plain, optional):
        signature = read(function, context_type=Context)
        assert (signature.parameters, signature.hidden) == ((), (Hidden("ctx", "context", Context),))


def test_an_injected_parameter_is_hidden_with_its_type() -> None:
    def alias(database: Inject[Database]) -> None: ...
    def instance(database: Annotated[Database, Injected()] | None = None) -> None: ...

    for function in (alias, instance):
        assert read(function).hidden == (Hidden("database", "injected", Database),)


def test_a_class_made_inside_a_function_is_found() -> None:
    class Local(BaseModel):
        name: str

    def function(item: Local) -> None: ...

    assert read(function).parameters[0].annotation is Local


def test_an_unresolvable_annotation_names_its_parameter() -> None:
    def function(price: Decimal) -> None: ...

    with pytest.raises(RegistrationError, match="of `price` cannot be resolved"):
        read(function)


def test_an_annotation_that_is_no_expression_names_its_parameter() -> None:
    def function(price: int) -> None: ...

    function.__annotations__["price"] = "1 +"
    with pytest.raises(RegistrationError, match="of `price` cannot be resolved"):
        read(function)


def test_an_unresolvable_return_type_is_named() -> None:
    def function() -> Decimal: ...

    with pytest.raises(RegistrationError, match="of the return type cannot be resolved"):
        read(function)


def varargs(*names: str) -> None: ...
def keywords(**names: str) -> None: ...
def positional(name: str, /) -> None: ...
def bare(name: Any) -> None: ...


del bare.__annotations__["name"]


@pytest.mark.parametrize(
    ("function", "hint"),
    [
        (varargs, r"write `names: list\[str\]`"),
        (keywords, r"write `names: dict\[str, str\]`"),
        (positional, "take the `/` out"),
        (bare, "write `name: str`"),
    ],
)
def test_what_cannot_be_described_is_refused_with_what_to_write(function: Callable[..., Any], hint: str) -> None:
    with pytest.raises(RegistrationError, match=hint):
        read(function)


def test_a_field_as_default_holds_the_default() -> None:
    def function(query: str = Field(max_length=3), limit: int = Field(10, ge=1)) -> None: ...

    query, limit = read(function).parameters
    assert (query.required, limit.required) == (True, False)


def test_two_defaults_are_refused() -> None:
    def function(limit: Annotated[int, Field(default=3)] = 4) -> None: ...

    with pytest.raises(RegistrationError, match="two defaults"):
        read(function)


def test_a_schema_that_is_given_allows_what_it_describes() -> None:
    def function(name: Any, **rest: Any) -> None: ...

    del function.__annotations__["name"]
    signature = read(function, schema_given=True)
    assert (signature.takes_any, signature.parameters[0].annotation) == (True, MISSING)


def test_a_builtin_can_be_read() -> None:
    with pytest.raises(RegistrationError, match="positional-only"):
        read(abs)
