"""The first check of a monitor: Better Stack has seen the URL up, from outside of Fly.

The resource is the evidence of that. It waits again when the monitor, its URL or its frequency changes.
"""

from typing import Annotated

from msgspec.structs import asdict
from pulumi import Output

from providers import waiting
from providers.betterstack import api
from providers.errors import ErrorText, TimedOut
from providers.properties import REPLACES
from providers.record import Input, Record
from providers.resource import Gate, Resource

BEFORE_UP_SECONDS = 240.0
"""How long a monitor can take to be `up` besides the pause between its checks: regions check in turn, and after a failure it is
`validating` for its recovery period, 180 s by default."""

NOT_UP = ErrorText(
    "Better Stack has not seen {url} up within {seconds:.0f} s: the monitor is {status}",
    remedy="open the monitor at https://uptime.betterstack.com, which shows the responses; then run `pulumi up` again",
)
PAUSED = ErrorText(
    "Better Stack does not check {url}: the monitor is paused",
    remedy="resume it at https://uptime.betterstack.com; then run `pulumi up` again",
)
GONE = ErrorText(
    "monitor {id} of Better Stack does not exist",
    remedy="run `pulumi refresh`, then `pulumi up`, which creates it again",
)


class FirstCheckArgs(Record):
    monitor_id: Annotated[Input[str], REPLACES]
    url: Input[str]
    seconds: Input[int]
    """Between two checks."""


class FirstCheckState(FirstCheckArgs):
    seen_up_at: str = ""
    """RFC 3339, in UTC."""


class FirstCheckProvider(Gate[FirstCheckArgs, FirstCheckState]):
    Args = FirstCheckArgs
    State = FirstCheckState

    def ensure(self, args: FirstCheckArgs) -> tuple[str, FirstCheckState]:
        return args.monitor_id, self._wait(args)

    def sync(self, id: str, state: FirstCheckState, args: FirstCheckArgs) -> FirstCheckState:
        return self._wait(args)

    def _wait(self, args: FirstCheckArgs) -> FirstCheckState:
        client, status, seconds = api.BetterStack(self.config), "pending", args.seconds + BEFORE_UP_SECONDS

        def is_up() -> bool | None:
            nonlocal status
            found = client.get(args.monitor_id)
            if found is None:
                raise GONE(id=args.monitor_id)
            status = found.attributes.status
            if status == "paused":
                raise PAUSED(url=args.url)
            return status == "up" or None

        try:
            waiting.poll(
                is_up,
                seconds=seconds,
                waiting_for="the first check",
                last_seen=lambda: f"the monitor is {status}",
                action="first check",
                first_pause=1.0,
                max_pause=15.0,
            )
        except TimedOut:
            raise NOT_UP(url=args.url, seconds=seconds, status=status) from None
        return FirstCheckState(**asdict(args), seen_up_at=waiting.utc_now().isoformat(timespec="seconds"))


class FirstCheck(Resource[FirstCheckArgs], module="betterstack", name="FirstCheck"):
    """Evidence that a monitor of Better Stack has seen its URL up; its id is that of the monitor.

    monitor_id: replaces. url, seconds: waits again.
    """

    provider = FirstCheckProvider

    url: Output[str]
    seconds: Output[int]
    seen_up_at: Output[str]
