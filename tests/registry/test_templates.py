from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_server.registry import RegistrationError, Template

VALUE = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


@pytest.mark.parametrize(
    ("template", "uri", "values"),
    [
        ("a://items/{id}", "a://items/5", {"id": "5"}),
        ("a://items/{id}", "a://items/a%20b%2Fc", {"id": "a b/c"}),
        ("a://items/{id}", "a://items/a/b", None),
        ("a://items/{id}", "a://items/", None),
        ("a://items/{id}", "a://items/5?x=1", None),
        ("a://items/{id}", "a://items/5\n", {"id": "5\n"}),
        ("a://items/{id}", "a://items/%00", None),
        ("a://items/{id}", "a://items/%FF", None),
        ("a://items/{id}", "a://items/" + "x" * 9000, None),
        ("a://{a}/{b}.json", "a://x/y.json.json", {"a": "x", "b": "y.json"}),
        ("a://{a}-{b}", "a://x-y-z", {"a": "x", "b": "y-z"}),
        ("a://{a,b}", "a://x,y", {"a": "x", "b": "y"}),
        ("a://files/{+path}", "a://files/x/y?z#w", {"path": "x/y?z#w"}),
        ("a://files/{+path}/info", "a://files/x/y/info", {"path": "x/y"}),
        ("a://x{#part}", "a://x#a/b", {"part": "a/b"}),
        ("a://x{.ext}", "a://x.json", {"ext": "json"}),
        ("a:/{/a,b}", "a://x/y", {"a": "x", "b": "y"}),
        ("a:/{/path*}", "a://x/y/z", {"path": "x/y/z"}),
        ("a://x{?q,limit}", "a://x", {}),
        ("a://x{?q,limit}", "a://x?limit=5&q=a%26b", {"limit": "5", "q": "a&b"}),
        ("a://x{?q}", "a://x?q", {"q": ""}),
        ("a://x{?q}", "a://x?other=1", None),
        ("a://x{?q}", "a://x?q=1&q=2", None),
        ("a://x?fixed=1{&q}", "a://x?fixed=1&q=2", {"q": "2"}),
        ("a://x?k={k}{&q}", "a://x?k=1&q=2", {"k": "1", "q": "2"}),
        ("a://{id}{?q}{#part}", "a://1?q=2#3", {"id": "1", "q": "2", "part": "3"}),
        ("a://plain", "a://plain", {}),
    ],
)
def test_a_uri_is_matched(template: str, uri: str, values: dict[str, str] | None) -> None:
    assert Template(template).match(uri) == values


@pytest.mark.parametrize(
    ("template", "values", "uri"),
    [
        ("a://{id}", {"id": "a/b c"}, "a://a%2Fb%20c"),
        ("a://{+id}", {"id": "a/b c"}, "a://a/b%20c"),
        ("a:/{/path*}", {"path": "x/y"}, "a://x/y"),
        ("a://x{?q,limit}", {"limit": "5"}, "a://x?limit=5"),
        ("a://x{?q}", {}, "a://x"),
        ("a://x{&q}", {"q": "1"}, "a://x&q=1"),
    ],
)
def test_values_are_expanded(template: str, values: dict[str, str], uri: str) -> None:
    assert Template(template).expand(values) == uri


@pytest.mark.parametrize(
    ("template", "hint"),
    [
        ("a://{id", "a brace has no partner"),
        ("a://id}", "a brace has no partner"),
        ("a://{}", "is not understood"),
        ("a://{a-b}", "is not understood"),
        ("a://{a:3}", "is not understood"),
        ("a://{;a}", "is not understood"),
        ("a://{a*}", "in `{/path\\*}` alone"),
        ("a:/{/a*,b}", "use one name"),
        ("a://{+a,b}", "use one name"),
        ("a://{a}/{a}", "occurs twice"),
        ("a://{a}{b}", "two variables touch"),
        ("a://{a}{+b}", "two variables touch"),
        ("a://{+a}/{+b}", "one variable at most"),
        ("a://{+a}-{b}", "has to be followed by"),
        ("a://x{?a}{?b}", "has to come last"),
        ("a://x{?a}/b", "has to come last"),
    ],
)
def test_what_could_only_be_guessed_is_refused(template: str, hint: str) -> None:
    with pytest.raises(RegistrationError, match=hint):
        Template(template)


def test_variables_are_known_in_order() -> None:
    template = Template("a://{b}/{a}{?d,c}")
    assert (template.variables, template.optional, repr(template)) == (
        ("b", "a", "d", "c"),
        {"d", "c"},
        "Template('a://{b}/{a}{?d,c}')",
    )


@given(VALUE, VALUE, st.none() | VALUE)
def test_a_uri_that_was_expanded_matches_its_values(item: str, path: str, query: str | None) -> None:
    template = Template("a://{item}/x{/rest}/{+path}")
    values = {"item": item, "rest": item, "path": path}
    assert template.match(template.expand(values)) == values
    asking = Template("a://{item}.json{?query}{#path}")
    values = {"item": item, "path": path} | ({"query": query} if query else {})
    assert asking.match(asking.expand(values)) == values


@given(st.text())
def test_any_text_is_a_template_or_refused(text: str) -> None:
    try:
        assert Template(text).text == text
    except RegistrationError as refused:
        assert "no usable URI template" in str(refused)  # noqa: PT017


@pytest.mark.parametrize("template", ["a://{a}-{b}-{c}-{d}.json", "a://{+a}/{b}-{c}/x", "a:/{/a*}/{b}.x.x"])
@pytest.mark.parametrize("filler", ["-", "/", "a", ".x", "/-"])
def test_matching_takes_linear_time(template: str, filler: str) -> None:
    started = time.process_time()
    Template(template).match("a://" + filler * (8000 // len(filler)) + "!")
    assert time.process_time() - started < 0.5
