from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mcp_server.observe.metrics import Metrics, NoMetrics, PrometheusMetrics, share_between_workers
from mcp_server.observe.records import CallRecord, Vocabulary

LABELS = ("method", "target", "outcome", "reason", "le")
VOCABULARY = Vocabulary(methods={"tools/call", "tools/list"}, targets={"search_items", "get_item"})


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> PrometheusMetrics:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    return PrometheusMetrics(VOCABULARY)


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """What a Prometheus server reads: values by the name and the labels of their series."""
    body, _ = metrics.render()
    return {
        (sample.name, *(sample.labels[label] for label in LABELS if label in sample.labels)): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def series(metrics: Metrics) -> list[tuple[str, ...]]:
    return sorted(each[1:] for each in samples(metrics) if each[0] == "mcp_calls_total")


def test_calls_are_counted_by_method_tool_and_outcome(metrics: PrometheusMetrics, record: CallRecord) -> None:
    metrics.called(record)
    metrics.called(record)
    metrics.called(replace(record, outcome="tool_error"))
    counted = samples(metrics)
    assert counted["mcp_calls_total", "tools/call", "search_items", "ok"] == 2
    assert counted["mcp_calls_total", "tools/call", "search_items", "tool_error"] == 1


def test_times_are_kept_in_seconds(metrics: PrometheusMetrics, record: CallRecord) -> None:
    metrics.called(replace(record, milliseconds=30.0))
    counted = samples(metrics)
    assert counted["mcp_call_duration_seconds_sum", "tools/call", "search_items", "ok"] == pytest.approx(0.03)
    assert counted["mcp_call_duration_seconds_bucket", "tools/call", "search_items", "ok", "0.01"] == 0
    assert counted["mcp_call_duration_seconds_bucket", "tools/call", "search_items", "ok", "0.05"] == 1


def test_a_method_without_a_target_has_an_empty_one(metrics: PrometheusMetrics, record: CallRecord) -> None:
    metrics.called(replace(record, method="tools/list", target=None))
    assert series(metrics) == [("tools/list", "", "ok")]


def test_names_that_a_stranger_invents_make_no_series(metrics: PrometheusMetrics, record: CallRecord) -> None:
    for number in range(100):
        metrics.called(replace(record, target=f"tool-{number}", outcome="error"))
        metrics.called(replace(record, method=f"method-{number}", target=None, outcome="error"))
    assert series(metrics) == [("tools/call", "unknown", "error"), ("unknown", "", "error")]


def test_names_that_a_stranger_invents_are_not_remembered(metrics: PrometheusMetrics, record: CallRecord) -> None:
    for number in range(100):
        metrics.called(replace(record, target=f"tool-{number}", outcome="error"))
    assert not metrics._observers  # pyright: ignore[reportPrivateUsage]


def test_a_tool_that_is_registered_later_is_counted_by_its_name(record: CallRecord) -> None:
    tools: dict[str, object] = {}
    metrics = PrometheusMetrics(Vocabulary({"tools/call"}, tools))
    metrics.called(record)
    tools["search_items"] = object()
    metrics.called(record)
    assert series(metrics) == [("tools/call", "search_items", "ok"), ("tools/call", "unknown", "ok")]


def test_the_number_of_series_has_an_end(record: CallRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcp_server.observe.metrics._SERIES", 5)
    names = [f"tool-{number}" for number in range(8)]
    metrics = PrometheusMetrics(Vocabulary({"tools/call"}, names))
    for name in names:
        metrics.called(replace(record, target=name))
    assert len(series(metrics)) == 6
    assert samples(metrics)["mcp_calls_total", "unknown", "", "ok"] == 3


@pytest.fixture
def threads_take_turns_quickly() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("threads_take_turns_quickly")
def test_new_series_do_not_disturb_a_scrape(record: CallRecord) -> None:
    names = [f"tool-{number}" for number in range(1000)]
    metrics = PrometheusMetrics(Vocabulary({"tools/call"}, names))

    def call_every_tool() -> None:
        for name in names:
            metrics.called(replace(record, target=name))

    calling = threading.Thread(target=call_every_tool)
    calling.start()
    while calling.is_alive():
        metrics.render()
    calling.join()
    assert len(series(metrics)) == len(names)


def test_open_streams_are_counted_up_and_down(metrics: PrometheusMetrics) -> None:
    metrics.stream_opened()
    metrics.stream_opened()
    metrics.stream_closed()
    assert samples(metrics)["mcp_open_streams",] == 1


def test_the_number_of_sessions_is_told(metrics: PrometheusMetrics) -> None:
    metrics.sessions(7)
    metrics.sessions(5)
    assert samples(metrics)["mcp_sessions",] == 5


def test_refusals_are_counted_by_their_reason(metrics: PrometheusMetrics) -> None:
    metrics.limited("address")
    metrics.auth_failed("wrong key")
    metrics.auth_failed("wrong key")
    counted = samples(metrics)
    assert counted["mcp_limits_hit_total", "address"] == 1
    assert counted["mcp_auth_failures_total", "wrong key"] == 2


def test_the_content_type_is_prometheus_own(metrics: PrometheusMetrics) -> None:
    assert metrics.render()[1].startswith("text/plain; version=")


def test_two_servers_in_one_process_count_apart(metrics: PrometheusMetrics, record: CallRecord) -> None:
    metrics.called(record)
    assert series(PrometheusMetrics(VOCABULARY)) == []


def test_closing_alone_keeps_the_numbers(metrics: PrometheusMetrics) -> None:
    metrics.sessions(1)
    metrics.close()
    assert samples(metrics)["mcp_sessions",] == 1


def test_no_metrics_count_nothing(record: CallRecord) -> None:
    metrics: Metrics = NoMetrics()
    metrics.called(record)
    metrics.stream_opened()
    metrics.stream_closed()
    metrics.sessions(1)
    metrics.limited("address")
    metrics.auth_failed("wrong key")
    metrics.close()
    assert metrics.render() == (b"", "text/plain; charset=utf-8")


WORKER = """
import sys
from mcp_server.observe.metrics import PrometheusMetrics
from mcp_server.observe.records import CallRecord, Vocabulary
metrics = PrometheusMetrics(Vocabulary({"tools/call"}, {"search_items"}))
metrics.called(CallRecord("tools/call", "search_items", 1, 1, 1.0, "ok", "http"))
metrics.stream_opened()
if sys.argv[1] == "ends":
    metrics.close()
sys.stdout.write(metrics.render()[0].decode())
"""


def work(argument: str) -> str:
    command = [sys.executable, "-c", WORKER, argument]
    return subprocess.run(command, check=True, text=True, timeout=60, stdout=subprocess.PIPE).stdout


def test_any_worker_answers_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    share_between_workers(tmp_path / "counts")
    work("stays")
    counted = work("stays")
    assert 'mcp_calls_total{method="tools/call",outcome="ok",target="search_items"} 2.0' in counted
    assert "mcp_open_streams 2.0" in counted


def test_a_worker_that_ends_takes_its_streams_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    share_between_workers(tmp_path)
    work("ends")
    counted = work("stays")
    assert 'mcp_calls_total{method="tools/call",outcome="ok",target="search_items"} 2.0' in counted
    assert "mcp_open_streams 1.0" in counted


def test_counts_of_an_earlier_run_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    share_between_workers(tmp_path)
    work("stays")
    share_between_workers(tmp_path)
    assert "mcp_open_streams 1.0" in work("stays")
