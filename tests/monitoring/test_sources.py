"""Where the series come from: each selector of each rule and panel names its scrape, and that scrape brings the series."""

import re
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from components.monitoring.machines import FILES, needed_series, prometheus_yml
from tests.monitoring.test_dashboard import QUERIES
from tests.monitoring.tools import EXAMPLE, alerts, expressions

SELECTOR = re.compile(r"\b([a-z_]+(?::\w+)*)(?:\{([^}]*)\}|(?=\[))")
BARE = re.compile(
    r"\b(?:up|scrape_samples_scraped|(?:probe|fly|litestream|app|alertmanager|prometheus|process|internal)_\w+)\b(?!\{)"
)
LABEL = re.compile(r'(\w+)(=~|=)"([^"]*)"')
STRING = re.compile(r'"[^"]*"')
JOBS: dict[str, dict[str, Any]] = {
    job["job_name"]: job for job in yaml.safe_load(prometheus_yml(EXAMPLE))["scrape_configs"]
}
FEDERATED: list[str] = JOBS["fly"]["params"]["match[]"]
OF_SCRAPE = ("up", "scrape_samples_scraped")
"""Prometheus adds these to each scrape."""
PREFIXES: dict[str, str | tuple[str, ...]] = {
    "health": "probe_",
    "logs": ("app_log_", "internal_write_"),
    "prometheus": "prometheus_",
    "alertmanager": "alertmanager_",
}
"""The names of the series that a job brings by itself."""


def selectors(queries: list[str]) -> set[tuple[str, str]]:
    """Name and matchers of each selector of a scraped series; recorded ones have colons."""
    return {
        (name, labels) for query in queries for name, labels in SELECTOR.findall(query) if ":" not in name and labels
    }


def labels_of(matchers: str) -> dict[str, str]:
    return {name: value for name, _, value in LABEL.findall(matchers)}


def is_federated(name: str, matchers: dict[str, str], match: str) -> bool:
    """Whether this `match[]` returns the series."""
    wanted = labels_of(match)
    return bool(re.fullmatch(wanted.pop("__name__"), name)) and all(
        matchers.get(label) == value for label, value in wanted.items() if label != "app"
    )


USED = selectors(expressions() + QUERIES)


@pytest.mark.parametrize("query", [*expressions(), *QUERIES])
def test_every_selector_names_its_scrape(query: str) -> None:
    assert not BARE.findall(STRING.sub('""', query)), "a series without matchers"
    for _, matchers in selectors([query]):
        assert set(labels_of(matchers)["job"].split("|")) <= JOBS.keys()


@pytest.mark.parametrize(("name", "matchers"), sorted(USED))
def test_scrape_brings_series(name: str, matchers: str) -> None:
    labels = labels_of(matchers)
    job = labels.pop("job")

    if job == "fly" and name not in OF_SCRAPE:
        assert any(is_federated(name, labels, match) for match in FEDERATED)
    else:
        assert name in OF_SCRAPE or name.startswith(PREFIXES[job])


def test_nothing_else_is_federated() -> None:
    """Every selector of the federation, and every alternative in it, brings a series that a rule uses."""
    used = [(name, labels_of(matchers)) for name, matchers in USED if '"fly"' in matchers]
    for match in FEDERATED:
        names = labels_of(match)["__name__"]
        for alternative in _alternatives(names):
            one = match.replace(names, alternative)
            assert any(is_federated(name, labels, one) for name, labels in used), f"no rule uses {alternative}"


def test_federation_is_of_the_app() -> None:
    assert all(labels_of(match)["app"] == EXAMPLE.app for match in FEDERATED)
    assert JOBS["fly"]["metric_relabel_configs"] == [{"target_label": "job", "replacement": "fly"}]
    assert JOBS["fly"]["honor_labels"]
    assert JOBS["fly"]["metrics_path"] == f"/prometheus/{EXAMPLE.org}/federate"


def test_scrape_and_evaluation_intervals() -> None:
    """Windows and `for` of the rules, and the steps of their tests, assume 15 s."""
    rendered = yaml.safe_load(prometheus_yml(EXAMPLE))["global"]

    assert (rendered["scrape_interval"], rendered["evaluation_interval"]) == ("15s", "15s")
    assert rendered["external_labels"] == {"app": EXAMPLE.app}


def test_probe_uses_a_declared_module() -> None:
    modules = yaml.safe_load((FILES / "blackbox.yml").read_text())["modules"]

    assert JOBS["health"]["params"]["module"] == list(modules)
    assert JOBS["health"]["metrics_path"] == "/probe"


def test_recorded_series_exist() -> None:
    recorded = {
        rule["record"]
        for path in FILES.glob("rules/*.yml")
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
        if "record" in rule
    }

    used = {name for query in [*expressions(), *QUERIES] for name in re.findall(r"\bapp:[\w:]+", query)}

    assert used == recorded


def test_needed_series() -> None:
    """Through recorded series too, and without those that only an event brings."""
    needed = needed_series(replace(EXAMPLE, replica=False))

    assert needed["AppRestartLoop"] == ["fly_instance_cpu"]
    assert needed["AppServerErrors"] == ["fly_edge_http_responses_count"]
    assert needed["AppOutOfMemory"] == []
    assert not [name for names in needed.values() for name in names if name.startswith("litestream_")]


def test_update_labels() -> None:
    """What an update does to an alert is one of the two values that providers/fly/silence.py silences."""
    by_deploy = {
        value: {alert.name for alert in alerts() if alert.rule["labels"].get("deploy") == value}
        for value in ("mute", "settle")
    }

    assert by_deploy == {
        "mute": {"AppHealthDown", "AppNoMachine"},
        "settle": {"AppServerErrors", "AppRestartLoop", "AppMachineExitedWithError", "AppErrorBurst"},
    }


def _alternatives(pattern: str) -> list[str]:
    """`a_(b|c)|d` as a_b, a_c and d."""
    parts: list[str] = []
    depth, part = 0, ""
    for character in pattern:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "|" and not depth:
            parts, part = [*parts, part], ""
        else:
            part += character
    return [name for each in [*parts, part] for name in _expanded(each)]


def _expanded(pattern: str) -> list[str]:
    found = re.fullmatch(r"(\w*)\((.*)\)(\w*)", pattern)
    return [f"{found[1]}{inner}{found[3]}" for inner in found[2].split("|")] if found else [pattern]
