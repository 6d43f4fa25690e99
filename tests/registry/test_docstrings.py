from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mcp_server.registry.docstrings import Docstring, parse

GOOGLE = """Find items.

    Both names and texts
    are searched.

    Args:
        query: What to look for,
            in any language.
        limit (int, optional): How many: at most.
        *rest: Others.
        silent:

    Returns:
        The items.
    """

NUMPY = """Find items.

    Parameters
    ----------
    query : str
        What to look for,
        in any language.
    first, last : int
        The range.

    Returns
    -------
    Page
    """


def test_a_google_section_describes_its_parameters() -> None:
    assert parse(GOOGLE) == Docstring(
        "Find items.\n\nBoth names and texts\nare searched.",
        {"query": "What to look for, in any language.", "limit": "How many: at most.", "rest": "Others."},
    )


def test_a_numpy_section_describes_its_parameters() -> None:
    expected = {"query": "What to look for, in any language.", "first": "The range.", "last": "The range."}
    assert parse(NUMPY) == Docstring("Find items.", expected)


def test_a_docstring_without_sections_is_description() -> None:
    assert parse("Find items.\n\n    Note that: all are found.") == Docstring(
        "Find items.\n\nNote that: all are found."
    )


def test_no_docstring_is_no_description() -> None:
    assert parse(None) == Docstring()


def test_prose_after_a_section_is_not_a_parameter() -> None:
    assert parse("Do.\n\nArgs:\n    a: one\nb: two").parameters == {"a": "one"}


def test_text_before_the_first_entry_is_left_out() -> None:
    assert parse("Do.\n\nArgs:\n    Some words\n    a: one").parameters == {"a": "one"}
    assert parse("Do.\n\nParameters\n---\n    words\na\n    one").parameters == {"a": "one"}


def test_a_word_that_ends_in_a_colon_is_no_section() -> None:
    assert parse("Returns:").description == "Returns:"


@given(st.text())
def test_any_text_can_be_parsed(text: str) -> None:
    assert isinstance(parse(text), Docstring)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,8}", fullmatch=True),
        st.from_regex(r"[a-z]{1,9}( [a-z]{1,9})?", fullmatch=True),
        min_size=1,
    )
)
def test_every_parameter_is_found(texts: dict[str, str]) -> None:
    entries = "\n".join(f"    {name}: {text}" for name, text in texts.items())
    assert parse(f"Do.\n\nArgs:\n{entries}") == Docstring("Do.", texts)
