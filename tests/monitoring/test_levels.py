"""The level of a log line, by the script in telegraf.conf. It is written in the part of Starlark that is also Python."""

import json
import tomllib
from typing import Any, Protocol

import pytest

from components.monitoring.machines import FILES

LINES = {
    '{"level":50,"time":1732700000000,"pid":1,"hostname":"m","msg":"pino"}': "error",
    '{"level":60,"msg":"pino"}': "fatal",
    '{"level":40,"msg":"pino"}': "warn",
    '{"level":30,"msg":"pino"}': "info",
    '{"level":20,"msg":"pino"}': "debug",
    '{"level":35,"msg":"a level of its own"}': "info",
    '{"name":"app","hostname":"m","pid":1,"level":50,"msg":"bunyan","v":0}': "error",
    '{"level":"error","message":"winston"}': "error",
    '{"message":"winston","level":"http"}': "info",
    '{"level":"crit","message":"winston with syslog levels"}': "fatal",
    '{"severity":"WARNING","message":"as in Google Cloud"}': "warn",
    '{"level":"error","message":"cut in the mid': "info",
    '{"msg":"no level"}': "info",
    'time=2026-11-27T16:50:35Z level=ERROR msg="sync error" system=store': "error",
    "level=warn msg=first": "warn",
    "ERROR the database is locked": "error",
    "[error] the database is locked": "error",
    "2026-11-27 16:50:35 [ERROR] the database is locked": "error",
    "2026-11-27T16:50:35.123Z WARN slow": "warn",
    "error: the database is locked": "error",
    "TypeError: Cannot read properties of undefined (reading 'id')": "error",
    "Uncaught Error: boom": "error",
    "SqliteError: database is locked": "error",
    "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory": "fatal",
    "panic: runtime error": "fatal",
    "(node:306) UnhandledPromiseRejectionWarning: Error: boom": "error",
    "Traceback (most recent call last):": "error",
    "(node:306) UnhandledPromiseRejectionWarning: 42": "error",
    "UnhandledPromiseRejection: 42": "error",
    "Uncaught 42": "error",
    "GET /notes 200": "info",
    "no error found, all info is here": "info",
    "": "info",
}

NAMES = {
    "debug": "trace silly verbose debug",
    "info": "http info information notice log",
    "warn": "warn warning",
    "error": "error err severe",
    "fatal": "fatal crit critical alert emerg emergency panic",
}


class Apply(Protocol):
    def __call__(
        self, message: str, app: str = "solos", level: str = "info", machine: str = "m1"
    ) -> "list[Metric]": ...


class Metric:
    def __init__(self, name: str, **fields: Any) -> None:
        self.name, self.fields, self.time = name, fields, 1
        self.tags: dict[str, str] = {}


class StarlarkJson:
    """The module json.star."""

    encode = staticmethod(json.dumps)

    @staticmethod
    def decode(text: str, default: Any) -> Any:
        try:
            return json.loads(text)
        except ValueError:
            return default


@pytest.fixture(name="apply")
def _apply() -> Apply:
    """Passes a line through the script; what it returns."""
    [processor] = tomllib.loads((FILES / "telegraf.conf").read_text())["processors"]["starlark"]
    names: dict[str, Any] = {
        "load": lambda *_: None,
        "json": StarlarkJson,
        "state": {},
        "Metric": Metric,
        "monitor": "solos-monitor",
        "type": lambda value: {"str": "string"}.get(type(value).__name__, type(value).__name__),
    }
    exec(processor["source"], names)  # noqa: S102

    def apply(message: str, app: str = "solos", level: str = "info", machine: str = "m1") -> list[Metric]:
        line = Metric("fly_log", message=message)
        line.tags = {"app": app, "level": level, "machine": machine}
        line.time = 7
        returned = names["apply"](line)
        return returned if isinstance(returned, list) else [returned]

    return apply


def counted(metrics: list[Metric]) -> dict[str, int]:
    return {metric.tags["level"]: metric.fields["total"] for metric in metrics if metric.name == "app_log_lines"}


@pytest.mark.parametrize(("line", "level"), LINES.items())
def test_level_of_line(apply: Apply, line: str, level: str) -> None:
    *_, count, forwarded = apply(line)

    assert (count.tags["level"], count.fields["total"]) == (level, 1)
    assert forwarded.tags["level"] == level


@pytest.mark.parametrize(("level", "names"), NAMES.items())
def test_names_of_level(apply: Apply, level: str, names: str) -> None:
    """Every name, in every key in which a logger writes it, in any case."""
    for key in ("level", "severity", "lvl", "levelname", "log.level"):
        for name in names.split():
            for line in (json.dumps({key: name.upper(), "msg": "x"}), f"msg=x {key}={name}"):
                assert apply(line, level="unknown of the platform")[-1].tags["level"] == level


def test_stack_trace_is_one_error(apply: Apply) -> None:
    """The lines of a trace are found with its first line, and only that one is counted as an error."""
    apply("/app/dist/server.js:10")
    traced = [apply(line)[-1] for line in ("TypeError: boom", "    at handle (/app/dist/server.js:10:7)", "\tat next")]

    assert [line.tags["level"] for line in traced] == ["error"] * 3
    assert counted(apply("ERROR another")) == {"error": 2}


def test_stack_traces_of_two_machines(apply: Apply) -> None:
    """A line of a trace continues a line of its own machine."""
    apply("TypeError: boom", machine="m1")
    apply("GET /notes 200", machine="m2")

    assert apply("    at handle (/app/dist/server.js:10:7)", machine="m1")[-1].tags["level"] == "error"
    assert apply("    more of the response", machine="m2")[-1].tags["level"] == "info"


def test_level_of_the_platform(apply: Apply) -> None:
    """It counts for a line that has none of its own, and a count has the time of its line."""
    *_, count, forwarded = apply("starting", level="warn")

    assert (count.tags["level"], forwarded.tags["level"]) == ("warn", "warn")
    assert count.time == forwarded.time


def test_every_level_starts_at_zero(apply: Apply) -> None:
    """Otherwise the first error would be a new series, and no increase. Their time is a nanosecond before that of the line."""
    *zeros, _, line = apply("hello")

    assert {zero.time for zero in zeros} == {line.time - 1}
    assert set(counted(zeros).values()) == {0}
    assert counted(zeros).keys() >= {"info", "error", "fatal"}


def test_lines_of_monitor_only_counted(apply: Apply) -> None:
    apply("ERROR of the monitor", app="solos-monitor")
    [only] = apply("notify success", app="solos-monitor")

    assert (only.name, only.fields, only.tags) == ("app_log_stream", {"total": 2}, {})


@pytest.mark.parametrize("line", ['{"msg":"x"}', "plain"])
def test_line_is_json(apply: Apply, line: str) -> None:
    """So that the `| json` of the documented queries works."""
    forwarded = apply(line)[-1]

    assert json.loads(forwarded.fields["line"]) == ({"msg": "x"} if line.startswith("{") else {"message": "plain"})
