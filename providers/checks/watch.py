"""Evidence that the monitor works: Prometheus, queried in its own machine, sees the app healthy from outside and all sources up.

It is looked for again when `revision` changes: another configuration, another machine.
"""

from collections.abc import Iterable
from typing import Annotated

from msgspec.structs import asdict
from pulumi import Output

from providers import health, waiting
from providers.decoding import Call, decode
from providers.errors import ErrorText, TimedOut
from providers.fly.api import execution
from providers.fly.api.metrics import Series
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
UP, PROBE, LATENCY = "up", 'probe_success{job="health"}', 'probe_duration_seconds{job="health"}'
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

        def watching() -> bool | None:
            nonlocal seen
            try:
                seen = self._missing(args)
            except execution.CommandFailed as failed:
                seen = str(failed)
            return True if not seen else None

        try:
            waiting.poll(
                watching,
                seconds=SECONDS,
                waiting_for="all its sources to be up",
                last_seen=lambda: seen,
                action="waiting for sources",
            )
        except TimedOut as error:
            raise NOT_WATCHING(app=args.app, error=error) from None
        probe = next(iter(self._query(args, LATENCY)), None)
        if probe is None:
            raise NOT_WATCHING(app=args.app, error=f"{LATENCY} has no value")
        return WatchState(
            **asdict(args),
            seen_at=waiting.utc_now().isoformat(timespec="seconds"),
            url=probe.metric.get("instance", ""),
            latency_ms=round(probe.number * 1000, 1),
            certificate_days=round(self._number(args, CERTIFICATE) / DAY, 1),
            loaded_rules=int(self._number(args, RULES)),
            unarmed=self._unarmed(args),
            lines=self._lines(args) if "logs" in args.sources else 0,
            lines_kept=int(self._number(args, SENT)) if args.has_sink else 0,
        )

    def _lines(self, args: WatchArgs) -> int:
        def counted() -> int | None:
            health.request_once(self.config, args.hostname, UNKNOWN_PATH)
            if args.has_sink and not self._number(args, SENT):
                return None
            return int(self._number(args, f"sum({args.counted})")) or None

        try:
            return waiting.poll(
                counted,
                seconds=LINE_SECONDS,
                waiting_for="a log line, accepted by the sink if there is one",
                action="waiting for logs",
                first_pause=1.0,
            )
        except TimedOut:
            # The server may not log the request. The checklist then reports what did not arrive.
            return int(self._number(args, f"sum({args.counted})"))

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

    def _missing(self, args: WatchArgs) -> str:
        """What does not work yet; empty when everything does."""
        up = {series.metric.get("job", "") for series in self._query(args, UP) if series.number == 1}
        if down := sorted(set(args.sources) - up):
            return f"not up, or not scraped yet: {', '.join(down)}"
        if [series.number for series in self._query(args, PROBE)] != [1.0]:
            return "the health URL does not answer as healthy"
        if not self._number(args, RULES):
            return "no rules are loaded"
        return ""

    def _number(self, args: WatchArgs, query: str) -> float:
        return next((series.number for series in self._query(args, query)), 0.0)

    def _query(self, args: WatchArgs, query: str) -> list[Series]:
        """The series of an instant query."""
        command = ["promtool", "query", "instant", "-o", "json", PROMETHEUS, query]
        output = execution.execute(self.fly, args.app, args.machine_id, command)
        return decode(output.encode(), list[Series], Call(doing=f"query {query}", source="promtool"))


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
