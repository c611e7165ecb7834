"""Evidence that the monitor works: Prometheus, queried in its own machine, sees the app healthy from outside and all sources up.

It is looked for again when `revision` changes: another configuration, another machine.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Annotated, TypeAlias

from msgspec.structs import asdict
from pulumi import Output

from providers import health, waiting
from providers.decoding import Call, decode
from providers.errors import ErrorText, TimedOut
from providers.fly.api import execution, metrics
from providers.fly.provider import FlyGate
from providers.properties import REPLACES
from providers.record import Input, Record, field
from providers.resource import Resource

PROMETHEUS = "http://localhost:9090"
SECONDS = 180.0
"""Until every source is scraped twice, and names are known in the private network."""
LINE_SECONDS = 60.0
ARMED_SECONDS = 60.0
"""Fly scrapes a machine every 15 seconds, and the monitor Fly."""
UNKNOWN_PATH = "/is-anybody-listening"
DAY = 86_400.0
UP, PROBE, LATENCY = "up", "probe_success", "probe_duration_seconds"
CERTIFICATE = 'min(probe_ssl_earliest_cert_expiry{job="health"}) - time()'
RULES = "sum(prometheus_rule_group_rules)"
NAMES = "count by (__name__) ({job=~'.+'})"
SENT = 'sum(internal_write_metrics_written{job="logs",output="http"})'
"""Telegraf counts a line here when the sink has accepted it."""

NOT_WATCHING = ErrorText(
    "monitor {app} does not work: {error}",
    remedy="`up` is 0 for a source that cannot be scraped: read `fly logs -a {app}`, and for the source fly check the metrics token, "
    "then run `pulumi up` again",
)


_Found: TypeAlias = "dict[str, list[metrics.Series]]"


class WatchArgs(Record):
    app: Annotated[Input[str], REPLACES]
    """The app of the monitor."""
    machine_id: Input[str]
    """The machine of Prometheus. Ignored."""
    hostname: Input[str]
    """Of the app that is monitored."""
    sources: Input[list[str]]
    """The jobs that Prometheus scrapes: each must be up. From `logs`, the log stream, a line must arrive."""
    counted: Input[str] = field(default='log_lines_total{job="logs"}')
    """The series of the lines that the log stream has counted."""
    has_sink: Input[bool] = field(default=False)
    """Whether lines are sent to a log sink, which must have accepted one."""
    rules: Input[dict[str, list[str]]] = field(default_factory=dict)
    """The series that each rule needs: without one of them it cannot fire."""
    revision: Input[str]
    """Changes when another configuration or machine monitors."""


class WatchState(WatchArgs):
    seen_at: str = ""
    """RFC 3339, in UTC."""
    url: str = ""
    latency_ms: float = 0.0
    """Of one probe of the public health URL, from the monitor's region."""
    certificate_days: float = 0.0
    """Until the certificate of the URL expires."""
    loaded_rules: int = 0
    unarmed: dict[str, list[str]] = field(default_factory=dict)
    """The rules that cannot fire, and the series that are missing."""
    lines: int = 0
    """Log lines counted so far. To cause one, the app gets a request for an unknown path."""
    lines_kept: int = 0
    """Log lines that the sink has accepted."""


class WatchProvider(FlyGate[WatchArgs, WatchState]):
    Args = WatchArgs
    State = WatchState

    def changed_fields(self, state: WatchState, args: WatchArgs) -> Iterable[str]:
        return [name for name in super().changed_fields(state, args) if name != "machine_id"]

    def ensure(self, args: WatchArgs) -> tuple[str, WatchState]:
        return f"{args.app}/{args.machine_id}", self._look(args)

    def sync(self, id: str, state: WatchState, args: WatchArgs) -> WatchState:
        return self._look(args)

    def _look(self, args: WatchArgs) -> WatchState:
        seen = "nothing yet"

        def watching() -> "_Found | None":
            nonlocal seen
            try:
                found = self._found(
                    args, f'{{__name__=~"{UP}|{PROBE}|{LATENCY}"}}', certificate=CERTIFICATE, rules=RULES
                )
                seen = _missing(args, found)
            except execution.CommandFailed as failed:
                seen = str(failed)
                return None
            return None if seen else found

        try:
            found = waiting.poll(
                watching,
                seconds=SECONDS,
                waiting_for="all its sources to be up",
                last_seen=lambda: seen,
                action="waiting for sources",
                first_pause=1.0,  # Fly accepts one command a second
                max_pause=2.0,
            )
        except TimedOut as error:
            raise NOT_WATCHING(app=args.app, error=error) from None
        probe = found[LATENCY][0]
        lines, kept = self._lines(args) if "logs" in args.sources else (0, 0)
        return WatchState(
            **asdict(args),
            seen_at=waiting.utc_now().isoformat(timespec="seconds"),
            url=probe.metric.get("instance", ""),
            latency_ms=round(probe.number * 1000, 1),
            certificate_days=round(_number(found, "certificate") / DAY, 1),
            loaded_rules=int(_number(found, "rules")),
            unarmed=self._unarmed(args),
            lines=lines,
            lines_kept=kept if args.has_sink else 0,
        )

    def _lines(self, args: WatchArgs) -> tuple[int, int]:
        """How many log lines were counted, and how many the sink has accepted."""
        counted = kept = 0

        def both() -> bool | None:
            nonlocal counted, kept
            health.request_once(self.config, args.hostname, UNKNOWN_PATH)
            found = self._found(args, counted=f"sum({args.counted})", kept=SENT)
            counted, kept = int(_number(found, "counted")), int(_number(found, "kept"))
            return (counted > 0 and (kept > 0 or not args.has_sink)) or None

        # The server may not log the request. The checklist then reports what did not arrive.
        with suppress(TimedOut):
            waiting.poll(
                both,
                seconds=LINE_SECONDS,
                waiting_for="a log line, accepted by the sink if there is one",
                action="waiting for logs",
                first_pause=1.0,
            )
        return counted, kept

    def _unarmed(self, args: WatchArgs) -> dict[str, list[str]]:
        unarmed = dict[str, list[str]]()

        def found() -> dict[str, list[str]] | None:
            nonlocal unarmed
            names = {series.metric["__name__"] for series in self._query(args, NAMES)}
            unarmed = {rule: missing for rule, series in args.rules.items() if (missing := sorted(set(series) - names))}
            return None if unarmed else {}

        try:
            return waiting.poll(
                found,
                seconds=ARMED_SECONDS,
                waiting_for="the series of all rules",
                last_seen=lambda: f"missing for {', '.join(unarmed)}",
                action="waiting for series",
                first_pause=1.0,
            )
        except TimedOut:
            return unarmed  # The checklist shows them.

    def _found(self, args: WatchArgs, *queries: str, **numbers: str) -> _Found:
        """The series of the queries by name, and of each number by its key: with one command, because Fly accepts one a second."""
        labelled = [f'label_replace({query}, "of", "{key}", "", "")' for key, query in numbers.items()]
        found: _Found = {}
        for series in self._query(args, " or ".join([*queries, *labelled])):
            found.setdefault(series.metric.get("of") or series.metric.get("__name__", ""), []).append(series)
        return found

    def _query(self, args: WatchArgs, query: str) -> "list[metrics.Series]":
        """The series of an instant query."""
        command = ["promtool", "query", "instant", "-o", "json", PROMETHEUS, query]
        output = execution.execute(self.fly, args.app, args.machine_id, command)
        return decode(output.encode(), list[metrics.Series], Call(doing=f"query {query}", source="promtool"))


def _missing(args: WatchArgs, found: _Found) -> str:
    """What does not work yet; empty when everything does."""
    up = {series.metric.get("job", "") for series in found.get(UP, ()) if series.number == 1}
    if down := sorted(set(args.sources) - up):
        return f"not up, or not scraped yet: {', '.join(down)}"
    if [series.number for series in found.get(PROBE, ())] != [1.0] or LATENCY not in found:
        return "the health URL does not answer as healthy"
    if not _number(found, "rules"):
        return "no rules are loaded"
    return ""


def _number(found: _Found, name: str) -> float:
    return next((series.number for series in found.get(name, ())), 0.0)


class Watch(Resource[WatchArgs], module="checks", name="Watch"):
    """Evidence that the monitor sees the app; its id is `<app>/<machine>`.

    app: replaces. revision, sources, has_sink, rules: looked for again. machine_id: ignored.
    """

    provider = WatchProvider

    seen_at: Output[str]
    url: Output[str]
    loaded_rules: Output[int]
    unarmed: Output[dict[str, list[str]]]
    lines: Output[int]
    lines_kept: Output[int]
