"""A page that really went out: an alert is given to Alertmanager in its own machine, and its delivery and resolve are awaited.

The alert is named SolosDrill and says so, but it takes the path of every critical one: grouping, route, receiver, its secret,
the network. What Alertmanager logs of its notifications is the evidence, so it has to run with `--log.level=debug`. It is done
again when `route` changes, and only then: nobody is paged for a drill by an `up` that changes something else.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pulumi import Output

from providers import engine, waiting
from providers.errors import ProviderError
from providers.fly.api import execution, logs
from providers.fly.provider import FlyProvider
from providers.properties import REPLACES
from providers.record import Input, field, record
from providers.resource import Resource

ALERT = "SolosDrill"
ALERTMANAGER = "http://localhost:9093"
DELIVERED, FAILED = "Notify success", "Notify attempt failed"
URL = re.compile(r"https?://[^\s\"\\]+")
"""A receiver's URL is a secret, and some versions of Alertmanager log it."""
STEP_SECONDS = 180.0
"""For each of delivery and resolve: group_wait and group_interval are 15 s and a minute, and a receiver may need a retry."""


@record
class AlertDrillArgs:
    app: Annotated[Input[str], REPLACES]
    """The monitor's."""
    machine_id: Input[str]
    """Alertmanager's. A new machine of the same route is no reason for another drill."""
    watched: Input[str]
    """The app that the alert is about, as the label `app` of every alert."""
    receiver: Input[str] = field(default="page")
    route: Input[str]
    """Changes when the way to the receiver changes."""


@record
class AlertDrillState(AlertDrillArgs):
    fired_at: str = ""
    """When Alertmanager was told; RFC 3339, in UTC."""
    delivered_seconds: float = 0.0
    """From then until the receiver had taken the page."""
    resolved_at: str = ""
    """When the receiver had taken the resolve."""


class NotDelivered(ProviderError):
    """A page did not reach its receiver; the text says what Alertmanager says."""

    __module__ = "builtins"


class AlertDrillProvider(FlyProvider[AlertDrillArgs, AlertDrillState]):
    Args = AlertDrillArgs
    State = AlertDrillState

    def changed_fields(self, state: AlertDrillState, args: AlertDrillArgs) -> Iterable[str]:
        return [name for name in super().changed_fields(state, args) if name != "machine_id"]

    def ensure(self, args: AlertDrillArgs) -> tuple[str, AlertDrillState]:
        return f"{args.app}/{args.receiver}", self._drill(args)

    def observe(self, id: str, state: AlertDrillState) -> AlertDrillState:
        """The evidence stays what it was."""
        return state

    def sync(self, id: str, state: AlertDrillState, args: AlertDrillArgs) -> AlertDrillState:
        return self._drill(args)

    def remove(self, id: str, state: AlertDrillState) -> None:
        """Nothing: an alert that nobody repeats ends by itself."""

    def _drill(self, args: AlertDrillArgs) -> AlertDrillState:
        known = set(self._lines(args))
        started_at, fired_at = waiting.clock.now(), _now()
        self._tell(args, ends_at=fired_at + timedelta(minutes=30))
        known |= self._await_delivery(args, known, "page")
        delivered_seconds = round(waiting.clock.now() - started_at, 1)
        self._tell(args, ends_at=_now() - timedelta(seconds=1))
        self._await_delivery(args, known, "resolve")
        return AlertDrillState(
            **vars(args),
            fired_at=fired_at.isoformat(timespec="seconds"),
            delivered_seconds=delivered_seconds,
            resolved_at=_now().isoformat(timespec="seconds"),
        )

    def _tell(self, args: AlertDrillArgs, *, ends_at: datetime) -> None:
        summary = f"This is a drill: the alert path of {args.watched} has changed, and pages arrive. Nothing is wrong."
        execution.execute(
            self.fly,
            args.app,
            args.machine_id,
            [
                "amtool",
                f"--alertmanager.url={ALERTMANAGER}",
                "alert",
                "add",
                ALERT,
                "severity=critical",
                f"app={args.watched}",
                f"--annotation=summary={summary}",
                "--annotation=runbook=infra-docs/ALERTS.md#alert-solosdrill",
                f"--end={ends_at.isoformat(timespec='seconds')}",
            ],
        )

    def _await_delivery(self, args: AlertDrillArgs, known: set[str], what: str) -> set[str]:
        """Wait for a notification that is not `known`; the log lines by then."""
        progress, seen = engine.progress(), "no notification yet"

        def delivered() -> set[str] | None:
            nonlocal seen
            new = [line for line in self._lines(args) if line not in known]
            failed = [line for line in new if FAILED in line]
            seen = URL.sub("(its URL)", failed[-1])[-300:] if failed else seen
            progress(f"{what} of the drill to {args.receiver}: {seen}")
            return set(new) if any(DELIVERED in line for line in new) else None

        try:
            return waiting.poll(delivered, seconds=STEP_SECONDS, waiting_for=what, last_seen=lambda: seen)
        except ProviderError as error:
            raise NotDelivered(
                f"the {what} of the drill did not reach the receiver {args.receiver!r} of {args.app!r}: {error}; look at "
                f"`fly logs -a {args.app} -i {args.machine_id}` and at solos:monitoringSecrets.{args.receiver}, then run up again"
            ) from None

    def _lines(self, args: AlertDrillArgs) -> list[str]:
        """What Alertmanager's log says of notifications to the receiver; each line has its own time in it."""
        lines = logs.last_lines(self.fly, args.app, args.machine_id)
        if lines is None:
            raise NotDelivered(
                f"the logs of {args.app!r} cannot be read, so a delivery could not be seen: use a token that may read them, "
                'or leave the drill out (solos:monitoring.drill: "false")'
            )
        return [
            line for line in lines if f"receiver={args.receiver} " in line and (DELIVERED in line or FAILED in line)
        ]


def _now() -> datetime:
    return datetime.fromtimestamp(waiting.clock.wall(), UTC)


class AlertDrill(Resource[AlertDrillArgs], module="checks", name="AlertDrill"):
    """Evidence that a page arrives and resolves; its id is `<app>/<receiver>`.

    app: replaces. route, watched, receiver: the drill is done again. machine_id: ignored.
    """

    provider = AlertDrillProvider

    fired_at: Output[str]
    delivered_seconds: Output[float]
    resolved_at: Output[str]
