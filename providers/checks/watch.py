"""A monitor that really sees: Prometheus, asked in its own machine, finds the app healthy from outside and all its sources up.

Nothing is made in the world. The evidence is looked for again when `revision` changes: another configuration, another machine.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

from pulumi import Output

from providers import engine, health, waiting
from providers.errors import ProviderError, TimedOut
from providers.fly.api import execution
from providers.fly.provider import FlyProvider
from providers.properties import REPLACES
from providers.record import Input, record
from providers.resource import Resource

PROMETHEUS = "http://localhost:9090"
SECONDS = 180.0
"""Until every source was scraped twice, and names have spread over the private network."""
LINE_SECONDS = 60.0
UNKNOWN_PATH = "/is-anybody-listening"
DAY = 86_400.0
UP, PROBE, LATENCY = "up", 'probe_success{job="health"}', 'probe_duration_seconds{job="health"}'
CERTIFICATE = 'min(probe_ssl_earliest_cert_expiry{job="health"}) - time()'
RULES = "sum(prometheus_rule_group_rules)"
LINES = 'sum(solos_log_lines_total{job="logs"})'


@record
class WatchArgs:
    app: Annotated[Input[str], REPLACES]
    """The monitor's."""
    machine_id: Input[str]
    """Prometheus'."""
    hostname: Input[str]
    """Of the app that is watched."""
    sources: Input[list[str]]
    """The jobs that Prometheus scrapes, each of which has to be up. Of `logs`, the log stream, a line has to come."""
    revision: Input[str]
    """Changes when something else watches."""


@record
class WatchState(WatchArgs):
    seen_at: str = ""
    """RFC 3339, in UTC."""
    url: str = ""
    latency_ms: float = 0.0
    """Of one probe of the public health URL, from the monitor's region."""
    certificate_days: float = 0.0
    """Left of the certificate that was shown."""
    rules: int = 0
    lines: int = 0
    """Log lines that were counted by then. To have one, the app is asked for a path that it does not have."""


class WatchProvider(FlyProvider[WatchArgs, WatchState]):
    Args = WatchArgs
    State = WatchState

    def changed_fields(self, state: WatchState, args: WatchArgs) -> Iterable[str]:
        return [name for name in super().changed_fields(state, args) if name != "machine_id"]

    def ensure(self, args: WatchArgs) -> tuple[str, WatchState]:
        return f"{args.app}/{args.machine_id}", self._look(args)

    def observe(self, id: str, state: WatchState) -> WatchState:
        """The evidence stays what it was; what the monitor sees by now, it tells by itself."""
        return state

    def sync(self, id: str, state: WatchState, args: WatchArgs) -> WatchState:
        return self._look(args)

    def remove(self, id: str, state: WatchState) -> None:
        """Nothing: nothing was made."""

    def _look(self, args: WatchArgs) -> WatchState:
        progress, seen = engine.progress(), "nothing yet"

        def watching() -> bool | None:
            nonlocal seen
            try:
                seen = self._missing(args)
            except execution.CommandFailed as failed:
                seen = str(failed)
            progress(f"sources of {args.app}: {seen or 'all up'}")
            return True if not seen else None

        try:
            waiting.poll(watching, seconds=SECONDS, waiting_for="all its sources to be up", last_seen=lambda: seen)
        except TimedOut as error:
            raise ProviderError(
                f"the monitor {args.app!r} does not see what it should: {error}; `up` is 0 for what cannot be scraped: look at "
                f"`fly logs -a {args.app}`, and for fly at solos:monitoringSecrets.metricsToken, then run up again"
            ) from None
        probe = self._ask(args, LATENCY)[0]
        return WatchState(
            **vars(args),
            seen_at=datetime.fromtimestamp(waiting.clock.wall(), UTC).isoformat(timespec="seconds"),
            url=probe[0]["instance"],
            latency_ms=round(probe[1] * 1000, 1),
            certificate_days=round(self._number(args, CERTIFICATE) / DAY, 1),
            rules=int(self._number(args, RULES)),
            lines=self._lines(args) if "logs" in args.sources else 0,
        )

    def _lines(self, args: WatchArgs) -> int:
        def counted() -> int | None:
            health.knock(self.config, args.hostname, UNKNOWN_PATH)
            return int(self._number(args, LINES)) or None

        try:
            return waiting.poll(counted, seconds=LINE_SECONDS, waiting_for="a log line", first_pause=1.0)
        except TimedOut:
            return 0  # The server may log nothing of it. The checklist says that no line has come.

    def _missing(self, args: WatchArgs) -> str:
        """What is not as it should be, in words; empty when nothing is missing."""
        up = {labels["job"] for labels, value in self._ask(args, UP) if value == 1}
        if down := sorted(set(args.sources) - up):
            return f"not up, or not scraped yet: {', '.join(down)}"
        if [value for _, value in self._ask(args, PROBE)] != [1.0]:
            return "the health URL does not answer as healthy"
        if not self._number(args, RULES):
            return "no rules are loaded"
        return ""

    def _number(self, args: WatchArgs, query: str) -> float:
        return next((value for _, value in self._ask(args, query)), 0.0)

    def _ask(self, args: WatchArgs, query: str) -> list[tuple[dict[str, str], float]]:
        """The labels and value of each series of an instant query."""
        command = ["promtool", "query", "instant", "-o", "json", PROMETHEUS, query]
        answer = json.loads(execution.execute(self.fly, args.app, args.machine_id, command))
        return [(each.get("metric") or {}, float(each["value"][1])) for each in answer]


class Watch(Resource[WatchArgs], module="checks", name="Watch"):
    """Evidence that the monitor sees the app; its id is `<app>/<machine>`.

    app: replaces. revision, sources: looked for again. machine_id: ignored.
    """

    provider = WatchProvider

    seen_at: Output[str]
    url: Output[str]
    rules: Output[int]
    lines: Output[int]
