"""A verified rollout: the public health URL answers as expected, with the deployed version, and nothing has crashed.

The resource is the evidence for one version of the machine. It is verified again, in place, when another version runs, even one with
the same image, for example after a rollback. A failure stops everything that depends on a healthy backend.
"""

from collections.abc import Iterable
from typing import Annotated

from msgspec.structs import asdict
from pulumi import Output

from providers import health, waiting
from providers.errors import ErrorText, Problem, ProviderError, TimedOut
from providers.fly.api import logs, machines
from providers.fly.provider import FlyGate
from providers.properties import REPLACES
from providers.record import Input, Record, field
from providers.resource import Resource


class Unhealthy(ProviderError):
    """The backend is not healthy from outside; the text says what was seen."""

    __module__ = "builtins"


NO_GOOD_ANSWER = ErrorText("{failure}; {epilogue}", error=Unhealthy)
MACHINE_GONE = ErrorText(
    "https://{hostname}{path} answers, but machine {id} of app {app} does not exist: {epilogue}", error=Unhealthy
)
MACHINE_CRASHED = ErrorText(
    "https://{hostname}{path} answers, but machine {id} of app {app} has crashed: {epilogue}", error=Unhealthy
)


class RolloutArgs(Record):
    app: Annotated[Input[str], REPLACES]
    hostname: Input[str]
    """The public hostname, without scheme, for example `acme-api.fly.dev`."""
    machine_id: Input[str]
    instance_id: Input[str]
    """The version that the machine runs. In the state, the one that gave the good responses."""
    path: Input[str] = field(default="/health")
    expect_status: Input[int] = field(default=200)
    expect_body: Input[str | None] = field(default=None)
    probes: Input[int] = field(default=3)
    """Good responses in a row."""
    seconds: Input[float] = field(default=300.0)
    """How long that may take, with the minutes for which resolvers can remember that a new hostname had no address. Changing it alone
    changes nothing."""


class RolloutState(RolloutArgs):
    verified_at: str = ""
    """RFC 3339, in UTC."""
    latencies_ms: list[float] = field(default_factory=list)
    """Of the good responses, as seen from here."""
    image: str = ""


class RolloutProvider(FlyGate[RolloutArgs, RolloutState]):
    Args = RolloutArgs
    State = RolloutState

    def validate(self, args: RolloutArgs, old: RolloutArgs | None) -> Iterable[Problem]:
        return health.health_problems(_health(args))

    def changed_fields(self, state: RolloutState, args: RolloutArgs) -> Iterable[str]:
        return set(super().changed_fields(state, args)) - {"seconds"}

    def ensure(self, args: RolloutArgs) -> tuple[str, RolloutState]:
        return f"{args.app}/{args.machine_id}", self._verify(args)

    def sync(self, id: str, state: RolloutState, args: RolloutArgs) -> RolloutState:
        return self._verify(args)

    def _verify(self, args: RolloutArgs) -> RolloutState:
        fly, id = self.fly, args.machine_id
        try:
            probed = health.probe(self.config, _health(args))
        except TimedOut as error:
            machine = machines.find(fly, args.app, id)
            raise NO_GOOD_ANSWER(failure=error, epilogue=logs.epilogue(fly, args.app, machine, id)) from None
        machine = machines.find(fly, args.app, id)
        if machine is None or logs.crashes(machine):
            text = MACHINE_GONE if machine is None else MACHINE_CRASHED
            epilogue = logs.epilogue(fly, args.app, machine, id)
            raise text(hostname=args.hostname, path=args.path, id=id, app=args.app, epilogue=epilogue)
        return RolloutState(
            **{**asdict(args), "instance_id": machine.instance_id},
            verified_at=waiting.utc_now().isoformat(timespec="seconds"),
            latencies_ms=probed.latencies_ms,
            image=machine.view.image,
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
    """Evidence that the deployed version is healthy from outside; its id is `<app>/<machine>`. app: replaces. All others: verified
    again."""

    provider = RolloutProvider

    verified_at: Output[str]
    latencies_ms: Output[list[float]]
    instance_id: Output[str]
    image: Output[str]
