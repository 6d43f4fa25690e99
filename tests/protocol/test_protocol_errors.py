"""The table of errors: codes, HTTP statuses, texts."""

from __future__ import annotations

import pytest

from mcp_server.protocol import errors
from mcp_server.protocol.errors import Code, Failure, ProtocolError
from mcp_server.protocol.versions import ALL_VERSIONS, V2024_11_05, V2025_11_25, V2026_07_28, at_least

EVERY_ERROR = [
    errors.parse_error(),
    errors.invalid_request("no"),
    errors.method_not_found("m"),
    errors.invalid_params("no"),
    errors.bad_envelope("no"),
    errors.unknown_tool("t"),
    errors.unknown_prompt("p"),
    errors.unknown_resource("u"),
    errors.bad_cursor(),
    errors.unsupported_version("v"),
    errors.missing_capability({"sampling": {}}),
    errors.header_mismatch("no"),
    errors.internal_error("ref"),
]


@pytest.mark.parametrize("error", EVERY_ERROR, ids=str)
def test_no_error_of_this_version_uses_a_code_that_is_reserved_or_retired(error: ProtocolError) -> None:
    assert error.failure.code in {-32700, -32600, -32601, -32602, -32603, -32020, -32021, -32022}


@pytest.mark.parametrize(
    ("error", "modern", "legacy"),
    [
        (errors.parse_error(), 400, 400),
        (errors.invalid_request("no"), 400, 400),
        (errors.bad_envelope("no"), 400, 200),
        (errors.header_mismatch("no"), 400, 400),
        (errors.missing_capability({"sampling": {}}), 400, 200),
        (errors.unsupported_version("v"), 400, 400),
        (errors.method_not_found("m"), 404, 200),
        (errors.unknown_tool("t"), 200, 200),
        (errors.unknown_resource("u"), 200, 200),
        (errors.bad_cursor(), 200, 200),
        (errors.internal_error("ref"), 200, 200),
    ],
    ids=str,
)
def test_an_error_has_a_status_in_each_era(error: ProtocolError, modern: int, legacy: int) -> None:
    assert (error.failure.status_of(modern=True), error.failure.status_of(modern=False)) == (modern, legacy)


def test_invalid_params_without_a_reason_keep_the_client_in_its_era() -> None:
    assert Failure(Code.INVALID_PARAMS, "no").status_of(modern=True) == 200


def test_an_unsupported_version_names_the_supported_ones_and_repeats_the_request() -> None:
    assert errors.unsupported_version("2027-01-01").failure.data == {
        "supported": [V2026_07_28],
        "requested": "2027-01-01",
    }


def test_a_missing_capability_is_named_as_an_object() -> None:
    failure = errors.missing_capability({"elicitation": {"url": {}}}).failure
    assert failure.data == {"requiredCapabilities": {"elicitation": {"url": {}}}}
    assert failure.message == "Client capability required: elicitation"


def test_a_missing_resource_is_named_in_the_data() -> None:
    assert errors.unknown_resource("file:///a").failure.data == {"reason": "unknown_resource", "uri": "file:///a"}


def test_the_callers_own_words_are_cut_before_they_are_sent_back() -> None:
    assert errors.unknown_tool("x" * 10_000).failure.message == "Unknown tool: " + "x" * 200 + "…"


def test_short_words_are_sent_back_as_they_are() -> None:
    assert errors.shorten("x" * 200) == "x" * 200


def test_an_internal_error_says_nothing_but_where_to_look() -> None:
    assert errors.internal_error("ab12").failure == Failure(Code.INTERNAL_ERROR, "Internal error [ab12]")


def test_the_text_of_an_error_is_that_of_its_failure() -> None:
    assert str(errors.invalid_request("Not so")) == "Not so"


def test_versions_are_ordered_by_age() -> None:
    assert [at_least(version, V2025_11_25) for version in ALL_VERSIONS] == [False, False, False, True, True]


def test_a_version_that_nobody_knows_has_no_place_in_the_order() -> None:
    with pytest.raises(KeyError):
        at_least("2025-12-01", V2024_11_05)
