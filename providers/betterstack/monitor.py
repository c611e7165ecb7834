"""A monitor of Better Stack: it requests a URL every few minutes from several continents, and opens an incident while that fails.

Its name is its natural key: a monitor of this name is this program's own, so that no other is adopted. People's monitors of the same URL
have other names, and are left alone.
"""

from collections.abc import Iterable
from typing import Annotated

from pulumi import Output

from providers.betterstack import api
from providers.errors import Problem, ProblemText
from providers.properties import REPLACES
from providers.record import Input, Record, field
from providers.resource import Provider, Resource

SECONDS = (30, 45, 60, 120, 180, 300, 600, 900, 1800)
DEFAULT_SECONDS = 180
"""The shortest pause that the free plan allows."""
CONFIRMED_AFTER = 120
"""Seconds for which a URL has to fail before there is an incident: longer than an update of the machine."""
FIXED: dict[str, object] = {
    "monitor_type": "expected_status_code",
    "expected_status_codes": [200],
    "follow_redirects": False,
    "verify_ssl": True,
    "confirmation_period": CONFIRMED_AFTER,
}
"""The same for every monitor: as the prober of the monitoring app, without its look at the body."""

WRONG_SECONDS = ProblemText(
    "seconds", "a monitor cannot check every {seconds} s", remedy="set one of {allowed}, which the plan allows"
)


class MonitorArgs(Record):
    name: Annotated[Input[str], REPLACES]
    """Its `pronounceable_name`. It must be one that people do not give."""
    url: Input[str]
    seconds: Input[int] = field(default=DEFAULT_SECONDS)
    """Between two checks."""


class MonitorState(MonitorArgs):
    differing: list[str] = field(default_factory=list)
    """The attributes that are the same for every monitor, and that somebody has changed."""
    status: str = ""
    """As of the last read: `pending` before the first check, then `up` or `down`."""


class MonitorProvider(Provider[MonitorArgs, MonitorState]):
    Args = MonitorArgs
    State = MonitorState

    def validate(self, args: MonitorArgs, old: MonitorArgs | None) -> Iterable[Problem]:
        if args.seconds not in SECONDS:
            yield WRONG_SECONDS(seconds=args.seconds, allowed=", ".join(map(str, SECONDS)))

    def changed_fields(self, state: MonitorState, args: MonitorArgs) -> Iterable[str]:
        return {*super().changed_fields(state, args), *state.differing}

    def ensure(self, args: MonitorArgs) -> tuple[str, MonitorState]:
        client = api.BetterStack(self.config)
        found = client.find(args.name) or client.create(_values(args))
        state = _state(found)
        if set(self.changed_fields(state, args)):
            state = self.sync(found.id, state, args)
        return found.id, state

    def observe(self, id: str, state: MonitorState) -> MonitorState | None:
        found = api.BetterStack(self.config).get(id)
        return _state(found) if found else None

    def sync(self, id: str, state: MonitorState, args: MonitorArgs) -> MonitorState:
        return _state(api.BetterStack(self.config).update(id, _values(args)))

    def remove(self, id: str, state: MonitorState) -> None:
        api.BetterStack(self.config).delete(id)


def _values(args: MonitorArgs) -> dict[str, object]:
    """The attributes as Better Stack takes them. Who is notified is not among them: people set that on the website."""
    return {
        "pronounceable_name": args.name,
        "url": args.url,
        "check_frequency": args.seconds,
        "paused": False,
        **FIXED,
    }


def _state(found: "api.Monitor") -> MonitorState:
    has = found.attributes
    differing = [name for name, value in FIXED.items() if getattr(has, name) not in (None, value)]
    return MonitorState(
        name=has.pronounceable_name,
        url=has.url,
        seconds=has.check_frequency,
        differing=[*differing, *(["paused"] if has.status == "paused" else [])],
        status=has.status,
    )


class Monitor(Resource[MonitorArgs], module="betterstack", name="Monitor"):
    """A monitor of Better Stack; its id is that of Better Stack.

    name: replaces. url, seconds: in place. Somebody's changes of what it checks, and a pause, are undone by an `up` after a refresh.
    """

    provider = MonitorProvider

    url: Output[str]
    seconds: Output[int]
    status: Output[str]
