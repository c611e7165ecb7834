"""A verified rollout: the public health URL answered as expected, from the version that was deployed, and nothing crashed.

Nothing is made in the world. The resource is the evidence: it is made again, in place, exactly when `revision` says that
something else runs, and a failure stops everything that was to be built on a healthy backend.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

from pulumi import Output

from providers import engine, health, waiting
from providers.errors import TimedOut
from providers.fly.api import logs, machines
from providers.fly.api.client import Fly
from providers.properties import REPLACES
from providers.record import Input, field, record
from providers.resource import Provider, Resource


@record
class RolloutArgs:
    app: Annotated[Input[str], REPLACES]
    hostname: Input[str]
    """The public one, without scheme: `solos-prod.fly.dev`."""
    machine_id: Input[str]
    revision: Input[str]
    """Changes exactly when what runs changes; see `machine_config.revision`."""
    path: Input[str] = field(default="/health")
    expect_status: Input[int] = field(default=200)
    expect_body: Input[str | None] = field(default=None)
    probes: Input[int] = field(default=3)
    """Good answers in a row."""
    seconds: Input[float] = field(default=120.0)
    """How long that may take."""


@record
class RolloutState(RolloutArgs):
    verified_at: str = ""
    """RFC 3339, in UTC."""
    latencies_ms: list[float] = field(default_factory=list)
    """Of the good answers, as seen from here."""
    instance_id: str = ""
    """The machine's version that gave them."""
    image: str = ""


class RolloutProvider(Provider[RolloutArgs, RolloutState]):
    Args = RolloutArgs
    State = RolloutState

    def validate(self, args: RolloutArgs, old: RolloutArgs | None) -> Iterable[str]:
        return health.health_problems(_health(args))

    def ensure(self, args: RolloutArgs) -> tuple[str, RolloutState]:
        return f"{args.app}/{args.machine_id}", self._verify(args)

    def observe(self, id: str, state: RolloutState) -> RolloutState:
        """The evidence stays what it was; whether the app is healthy by now is what the monitor tells."""
        return state

    def sync(self, id: str, state: RolloutState, args: RolloutArgs) -> RolloutState:
        return self._verify(args)

    def remove(self, id: str, state: RolloutState) -> None:
        """Nothing: nothing was made."""

    def _verify(self, args: RolloutArgs) -> RolloutState:
        fly = Fly(self.config)
        try:
            answered = health.probe(self.config, _health(args), meanwhile=engine.progress())
        except TimedOut as error:
            machine = machines.find(fly, args.app, args.machine_id)
            raise health.Unhealthy(f"{error}; {logs.epilogue(fly, args.app, machine, args.machine_id)}") from None
        machine = machines.find(fly, args.app, args.machine_id)
        if machine is None or logs.crashes(machine):
            raise health.Unhealthy(
                f"https://{args.hostname}{args.path} answers, but the machine {args.machine_id} of {args.app!r} "
                f"{'is gone' if machine is None else 'has crashed'}: {logs.epilogue(fly, args.app, machine, args.machine_id)}"
            )
        return RolloutState(
            **vars(args),
            verified_at=datetime.fromtimestamp(waiting.clock.wall(), UTC).isoformat(timespec="seconds"),
            latencies_ms=answered.latencies_ms,
            instance_id=machine["instance_id"],
            image=machine["config"]["image"],
        )


def _health(args: RolloutArgs) -> health.Health:
    return health.Health(
        hostname=args.hostname,
        path=args.path,
        expect_status=args.expect_status,
        expect_body=args.expect_body,
        probes=args.probes,
        seconds=args.seconds,
    )


class Rollout(Resource[RolloutArgs], module="checks", name="Rollout"):
    """The evidence that what was deployed is healthy from outside."""

    provider = RolloutProvider

    verified_at: Output[str]
    latencies_ms: Output[list[float]]
    instance_id: Output[str]
    image: Output[str]
