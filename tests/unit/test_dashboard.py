"""The dashboard and the page about it: they name what is measured, all of it and nothing else."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from jwt_refresh_middleware.telemetry_table import LIMITED, METRICS, REASONS, SPANS, Metric

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "observability.md").read_text()
DASHBOARD: dict[str, Any] = json.loads((DOCS / "grafana-dashboard.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
UNITS = {"s": "_seconds"}


def series(metric: Metric) -> set[str]:
    """What a metric is called in Prometheus: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/."""
    name = metric.name.replace(".", "_") + UNITS.get(metric.unit, "")
    assert metric.unit in UNITS or re.fullmatch(r"\{\w+\}", metric.unit)  # a unit in braces adds nothing
    if metric.kind == "histogram":
        return {f"{name}_{part}" for part in ("bucket", "count", "sum")}
    return {name + "_total"} if metric.kind == "counter" else {name}


def label(attribute: str) -> str:
    return attribute.replace(".", "_")


SERIES = {name: metric for metric in METRICS for name in series(metric)}
ALERTS = re.findall(r"^ *expr: (.*)$", PAGE, re.MULTILINE)
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]] + ALERTS
VARIABLES = {one["name"]: one for one in DASHBOARD["templating"]["list"]}


def test_the_names_are_what_an_exporter_makes_of_them() -> None:
    assert set(SERIES) == {
        "jwt_refresh_events_total",
        "jwt_refresh_feed_lag_seconds",
        "jwt_refresh_logins_total",
        "jwt_refresh_rate_limits_total",
        "jwt_refresh_refreshes_total",
        "jwt_refresh_refusals_total",
        "jwt_refresh_revocation_delay_seconds_bucket",
        "jwt_refresh_revocation_delay_seconds_count",
        "jwt_refresh_revocation_delay_seconds_sum",
        "jwt_refresh_sessions_ended_total",
        "jwt_refresh_step_ups_total",
        "jwt_refresh_store_operation_duration_seconds_bucket",
        "jwt_refresh_store_operation_duration_seconds_count",
        "jwt_refresh_store_operation_duration_seconds_sum",
        "jwt_refresh_token_cache_lookups_total",
    }


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_asks_for_what_is_measured(query: str) -> None:
    selectors = re.findall(r"\b(jwt_refresh_\w+)\{([^}]*)\}", query)
    selected = [SERIES[name] for name, _ in selectors]  # a name that nothing has raises
    assert selected
    for metric, (_, matchers) in zip(selected, selectors, strict=True):
        for matcher in filter(None, re.split(r", *", matchers)):
            name = re.match(r"\w+", matcher)
            assert name is not None
            assert name[0] in {"job", *map(label, metric.attributes)}
    known = {label(attribute) for metric in selected for attribute in metric.attributes}
    for grouped in re.findall(r"by \(([^)]*)\)", query):
        assert set(re.split(r", *", grouped)) <= known | {"le", "instance"}
    assert set(re.findall(r"\$(\w+)", query)) <= {"job", "operation", "__rate_interval", "__range"}


def test_every_panel_can_be_narrowed_down_to_a_job() -> None:
    for query in QUERIES[: -len(ALERTS)]:
        assert query.count('job=~"$job"') == len(re.findall(r"jwt_refresh_\w+\{", query))


def test_everything_that_is_measured_is_on_it() -> None:
    shown = {
        SERIES[name].name for query in QUERIES[: -len(ALERTS)] for name in re.findall(r"(jwt_refresh_\w+)\{", query)
    }
    assert shown == {metric.name for metric in METRICS}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_can_be_drawn(panel: dict[str, Any]) -> None:
    assert panel["type"] in ("stat", "timeseries")
    assert panel["description"]
    assert panel["targets"]
    source = {"type": "prometheus", "uid": "${datasource}"}
    assert [panel["datasource"], *(target["datasource"] for target in panel["targets"])] == [source] * (
        len(panel["targets"]) + 1
    )
    references = [target["refId"] for target in panel["targets"]]
    assert len(set(references)) == len(references)
    for target in panel["targets"]:
        for name in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
            assert re.search(rf"by \([^)]*\b{name}\b", target["expr"]), "a legend shows what the query groups by"


def test_panels_do_not_cover_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


def test_the_data_source_is_for_whoever_imports_it_to_choose() -> None:
    assert DASHBOARD["schemaVersion"] == 39  # Grafana 11
    assert VARIABLES["datasource"]["type"] == "datasource"
    assert VARIABLES["datasource"]["query"] == "prometheus"
    assert [name for name in VARIABLES if name != "datasource"] == ["job", "operation"]
    for one in ("job", "operation"):
        [name] = re.findall(r"label_values\((jwt_refresh_\w+)", VARIABLES[one]["definition"])
        assert name in SERIES


# -- the page --


def table(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, as they are written."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_the_page_has_every_metric_as_it_is() -> None:
    written = [row[:4] for row in table("Metrics")]
    assert written == [
        [
            f"`{metric.name}`",
            metric.kind,
            f"`{metric.unit}`",
            ", ".join(f"`{attribute}`" for attribute in metric.attributes) or "none",
        ]
        for metric in METRICS
    ]


def test_the_page_has_every_span() -> None:
    assert [row[0] for row in table("Spans")] == [f"`{name}`" for name in SPANS]


def test_the_page_has_every_value_that_is_said_to_be_one_of_a_few() -> None:
    values = {row[0].strip("`"): set(re.findall(r"`([^`]+)`", row[1])) for row in table("Attributes")}
    assert values["jwt_refresh.reason"] == REASONS | {"other"}
    assert values["jwt_refresh.limit"] == LIMITED | {"other"}
    assert set(values) == {attribute for metric in METRICS for attribute in metric.attributes}


def test_the_alerts_are_there() -> None:
    assert len(ALERTS) == len(re.findall(r"^ *- alert: ", PAGE, re.MULTILINE)) >= 5
