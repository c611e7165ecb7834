"""Alert drill: creates an alert in the Alertmanager of the monitor and waits until the page and its resolve are delivered.

The alert says that it is a drill. It takes the path of every critical alert: grouping, route, receiver, its
secret, the network. The evidence is Alertmanager's log of its notifications, so it has to run with `--log.level=debug`. The drill is
repeated only when `route` changes: other changes page nobody.
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec.structs import asdict
from pulumi import Output

from providers import waiting
from providers.decoding import Call, decode
from providers.errors import ErrorText, ProviderError
from providers.fly.api import execution, logs
from providers.fly.provider import FlyGate
from providers.properties import REPLACES
from providers.record import Input, Record, field
from providers.resource import Resource

ALERTMANAGER = "http://localhost:9093"
DELIVERED, FAILED = "Notify success", "Notify attempt failed"
URL = r"https?://[^\s\"\\]+"
"""The URL of a receiver is a secret, and some versions of Alertmanager log it."""
STEP_SECONDS = 180.0
"""For delivery and for resolve: group_wait and group_interval are 15 s and a minute, and a receiver may need a retry."""
REGROUP_SECONDS = 90.0
"""For the resolve of an earlier drill, which comes within a group_interval."""


class AlertDrillArgs(Record):
    app: Annotated[Input[str], REPLACES]
    """The app of the monitor."""
    machine_id: Input[str]
    """The machine of Alertmanager. Ignored: a new machine with the same route needs no new drill."""
    watched: Input[str]
    """The app that the alert is about: the label `app`, as in every alert."""
    alert: Input[str] = field(default="MonitorDrill")
    """Name of the alert."""
    runbook: Input[str] = field(default="")
    """What to read about it, relative to the repository."""
    receiver: Input[str] = field(default="page")
    route: Input[str]
    """A hash of the path to the receiver: changing it repeats the drill."""


class AlertDrillState(AlertDrillArgs):
    fired_at: str = ""
    """When the alert was created; RFC 3339, in UTC."""
    delivered_seconds: float = 0.0
    """From then until the receiver had accepted the page."""
    resolved_at: str = ""
    """When the receiver had accepted the resolve."""


class _Alert(msgspec.Struct):
    labels: dict[str, str]


class NotDelivered(ProviderError):
    """A page did not reach its receiver; the text has Alertmanager's reason."""

    __module__ = "builtins"


NOT_DELIVERED = ErrorText(
    "the {what} of the drill did not reach receiver {receiver} of app {app}: {error}",
    remedy="read `fly logs -a {app} -i {machine_id}` and fix the secret of receiver {receiver}, then run `pulumi up` again",
    error=NotDelivered,
)
NO_LOGS = ErrorText(
    "the logs of app {app} cannot be read, so no delivery can be seen",
    remedy="use a token that may read them, or turn the drill off",
    error=NotDelivered,
)


class AlertDrillProvider(FlyGate[AlertDrillArgs, AlertDrillState]):
    Args = AlertDrillArgs
    State = AlertDrillState

    def changed_fields(self, state: AlertDrillState, args: AlertDrillArgs) -> Iterable[str]:
        return [name for name in super().changed_fields(state, args) if name != "machine_id"]

    def ensure(self, args: AlertDrillArgs) -> tuple[str, AlertDrillState]:
        return f"{args.app}/{args.receiver}", self._drill(args)

    def sync(self, id: str, state: AlertDrillState, args: AlertDrillArgs) -> AlertDrillState:
        return self._drill(args)

    def _drill(self, args: AlertDrillArgs) -> AlertDrillState:
        known = set(self._lines(args))
        if self._is_firing(args):
            known |= self._end_interrupted(args, known)
        started_at, fired_at = waiting.clock.now(), waiting.utc_now()
        self._add_alert(args, ends_at=fired_at + timedelta(minutes=30))
        known |= self._await_delivery(args, known, "page")
        delivered_seconds = round(waiting.clock.now() - started_at, 1)
        self._add_alert(args, ends_at=waiting.utc_now() - timedelta(seconds=1))
        self._await_delivery(args, known, "resolve")
        return AlertDrillState(
            **asdict(args),
            fired_at=fired_at.isoformat(timespec="seconds"),
            delivered_seconds=delivered_seconds,
            resolved_at=waiting.utc_now().isoformat(timespec="seconds"),
        )

    def _is_firing(self, args: AlertDrillArgs) -> bool:
        printed = self._amtool(args, "query", "-o", "json", f"alertname={args.alert}", f"app={args.watched}")
        return bool(decode(printed.encode(), list[_Alert], Call(doing=f"query alert {args.alert}", source="amtool")))

    def _end_interrupted(self, args: AlertDrillArgs, known: set[str]) -> set[str]:
        """End the alert of a drill that was interrupted: Alertmanager sends no second page while it fires. The new log lines."""
        self._add_alert(args, ends_at=waiting.utc_now() - timedelta(seconds=1))
        try:
            return self._await_delivery(args, known, "resolve", seconds=REGROUP_SECONDS)
        except NotDelivered:
            return set()  # The drill was interrupted before its page: then there is no resolve.

    def _add_alert(self, args: AlertDrillArgs, *, ends_at: datetime) -> None:
        summary = f"This is a drill: the alert path of {args.watched} has changed, and pages arrive. Nothing is wrong."
        self._amtool(
            args,
            "add",
            args.alert,
            "severity=critical",
            f"app={args.watched}",
            f"--annotation=summary={summary}",
            f"--annotation=runbook={args.runbook}",
            f"--end={ends_at.isoformat(timespec='seconds')}",
        )

    def _amtool(self, args: AlertDrillArgs, *command: str) -> str:
        """What `amtool alert …` prints."""
        amtool = ["amtool", f"--alertmanager.url={ALERTMANAGER}", "alert", *command]
        return execution.execute(self.fly, args.app, args.machine_id, amtool)

    def _await_delivery(
        self, args: AlertDrillArgs, known: set[str], what: str, *, seconds: float | None = None
    ) -> set[str]:
        """Wait for a notification that is not `known`, for STEP_SECONDS by default; the new log lines."""
        seen = "no notification yet"

        def delivered() -> set[str] | None:
            nonlocal seen
            new = [line for line in self._lines(args) if line not in known]
            failed = [line for line in new if FAILED in line]
            seen = re.sub(URL, "(its URL)", failed[-1])[-300:] if failed else seen
            return set(new) if any(DELIVERED in line for line in new) else None

        try:
            return waiting.poll(
                delivered,
                seconds=STEP_SECONDS if seconds is None else seconds,
                waiting_for=what,
                last_seen=lambda: seen,
                action="waiting for receiver",
            )
        except ProviderError as error:
            raise NOT_DELIVERED(
                what=what, receiver=args.receiver, app=args.app, error=error, machine_id=args.machine_id
            ) from None

    def _lines(self, args: AlertDrillArgs) -> list[str]:
        """The lines of Alertmanager's log about notifications to the receiver; each line contains its time."""
        lines = logs.last_lines(self.fly, args.app, args.machine_id)
        if lines is None:
            raise NO_LOGS(app=args.app)
        return [
            line for line in lines if f"receiver={args.receiver} " in line and (DELIVERED in line or FAILED in line)
        ]


class AlertDrill(Resource[AlertDrillArgs], module="checks", name="AlertDrill"):
    """Evidence that a page arrives and resolves; its id is `<app>/<receiver>`.

    app: replaces. route, watched, receiver: repeats the drill. machine_id: ignored.
    """

    provider = AlertDrillProvider

    fired_at: Output[str]
    delivered_seconds: Output[float]
    resolved_at: Output[str]
