"""The release command of fly.toml: runs in a temporary machine before an update, with the new image and the new secrets.

As with `fly deploy`, the machine has no volume, no service and no DNS name, and Fly destroys it when the command ends. If the command
fails, what depends on this resource is not updated. A run that dies leaves a machine that ends by itself, or that the next run
destroys before it runs the command again; so the command has to be repeatable, as a migration is. Changing any argument but
`seconds` repeats it.
"""

import uuid
from collections.abc import Iterable
from contextlib import suppress
from typing import Annotated, Any

from msgspec.structs import asdict
from pulumi import Output

from providers import engine, waiting
from providers.creation import create_idempotent
from providers.errors import ErrorText, Problem, ProblemText, ProviderError, TimedOut
from providers.fly.api import client, logs, machine_states, machines
from providers.fly.provider import FlyGate
from providers.properties import REPLACES
from providers.record import Input, Record, field
from providers.resource import Resource

MACHINE = "release-command"
"""Name of the temporary machine."""
RUN = "pulumi_release_run"
"""Metadata key that tells the machine of this run from those of earlier ones."""
START_SECONDS = 120.0
"""What a machine may take to start, besides the seconds of the command."""

NO_DIGEST = ProblemText("image", "image {image} has no digest", remedy="use the output `pinned` of an Image")


class ReleaseFailed(ProviderError):
    """The release command did not succeed, so nothing was updated."""

    __module__ = "builtins"


FAILED = ErrorText(
    "release_command of app {app} failed ({how}), so the app was not updated: `{command}`; {epilogue}",
    remedy="fix the command or what it needs, then run `pulumi up` again: it runs the command again",
    error=ReleaseFailed,
)
TOO_SLOW = ErrorText(
    "release_command of app {app} was still running after {seconds:g} s and was ended, so the app was not updated: `{command}`; "
    "{epilogue}",
    remedy="set release_command_timeout in [deploy], and make sure that the command can be repeated, then run `pulumi up` again",
    error=ReleaseFailed,
)
OUTCOME_UNKNOWN = ErrorText(
    "machine {id} of app {app}, which ran release_command, is gone and its exit code is not known, so the app was not updated: "
    "`{command}`",
    remedy="look at `fly logs -a {app}`, then run `pulumi up` again: it runs the command again",
    error=ReleaseFailed,
)


class ReleaseCommandArgs(Record):
    app: Annotated[Input[str], REPLACES]
    region: Input[str]
    command: Input[str]
    """As fly.toml has it, for texts; `config` has its words."""
    config: Input[dict[str, Any]]
    """As `AppConfig.release` renders it, with a guest, without image."""
    image: Input[str]
    """By digest: the image that is about to run."""
    secrets_version: Input[int | None] = field(default=None)
    """The least version of `Secrets` that the command gets."""
    release: Input[str] = field(default="")
    """What is about to run. Changing it runs the command again."""
    seconds: Input[float] = field(default=300.0)
    """How long the command may run."""


class ReleaseCommandState(ReleaseCommandArgs):
    finished_at: str = ""
    """RFC 3339, in UTC."""
    took_seconds: float = 0.0
    """From the creation of the machine to the end of the command."""


class ReleaseCommandProvider(FlyGate[ReleaseCommandArgs, ReleaseCommandState]):
    Args = ReleaseCommandArgs
    State = ReleaseCommandState

    def validate(self, args: ReleaseCommandArgs, old: ReleaseCommandArgs | None) -> Iterable[Problem]:
        if "@sha256:" not in args.image:
            yield NO_DIGEST(image=args.image)

    def changed_fields(self, state: ReleaseCommandState, args: ReleaseCommandArgs) -> Iterable[str]:
        return set(super().changed_fields(state, args)) - {"seconds"}

    def ensure(self, args: ReleaseCommandArgs) -> tuple[str, ReleaseCommandState]:
        return f"{args.app}/{MACHINE}", self._run(args)

    def sync(self, id: str, state: ReleaseCommandState, args: ReleaseCommandArgs) -> ReleaseCommandState:
        return self._run(args)

    def remove(self, id: str, state: ReleaseCommandState) -> None:
        """Destroy what a run that died has left."""
        self._clear(state.app)

    def _run(self, args: ReleaseCommandArgs) -> ReleaseCommandState:
        began = waiting.clock.now()
        self._clear(args.app)
        created = self._create(args)
        try:
            ended = self._wait(args, created.id)
        finally:
            machine_states.destroy(self.fly, args.app, created.id, at_once=True)
        code = exit_code(ended)
        if ended and ended.state == "failed":
            how = "its machine did not start"
            raise FAILED(app=args.app, how=how, command=args.command, epilogue=self._epilogue(args, ended))
        if code is None:
            raise OUTCOME_UNKNOWN(id=created.id, app=args.app, command=args.command)
        if code:
            raise FAILED(
                app=args.app, how=f"exit code {code}", command=args.command, epilogue=self._epilogue(args, ended)
            )
        return ReleaseCommandState(
            **asdict(args),
            finished_at=waiting.utc_now().isoformat(timespec="seconds"),
            took_seconds=round(waiting.clock.now() - began, 1),
        )

    def _create(self, args: ReleaseCommandArgs) -> "machines.Machine":
        run = uuid.uuid4().hex
        metadata = {**args.config.get("metadata", {}), RUN: run}
        config = {**args.config, "image": args.image, "metadata": metadata}

        def created() -> "machines.Machine":
            return machines.create(
                self.fly,
                args.app,
                MACHINE,
                region=args.region,
                config=config,
                min_secrets_version=args.secrets_version,
            )

        def found() -> "machines.Machine | None":
            """The machine, also when the command has ended and Fly has destroyed it."""
            listed = machines.list_all(self.fly, args.app, with_destroyed=True)
            return next((machine for machine in listed if machine.view.metadata.get(RUN) == run), None)

        return create_idempotent(
            lambda: client.retry_until_pullable(created), found, what=f"machine {MACHINE} of app {args.app}"
        )

    def _wait(self, args: ReleaseCommandArgs, id: str) -> "machines.Machine | None":
        """The machine when its command has ended; its log lines are shown meanwhile. None when it is gone before that was seen."""
        shown = set[logs.Line]()
        was_seen = False

        def show() -> None:
            for line in logs.lines_of(self.fly, args.app, id) or ():
                if line not in shown:
                    engine.note(line.message)
                    shown.add(line)

        def ended() -> "machines.Machine | bool | None":
            nonlocal was_seen
            show()
            machine = machines.look(self.fly, args.app, id)
            if machine is None:
                return False if was_seen else None
            was_seen = True
            done = exit_code(machine) is not None or machine.is_gone or machine.state in ("stopped", "failed")
            return machine if done else None

        try:
            found = waiting.poll(
                ended,
                seconds=START_SECONDS + args.seconds,
                waiting_for="release_command to end",
                last_seen=lambda: args.command,
                action="release_command",
                max_pause=1.0,
            )
        except TimedOut:
            late = machines.look(self.fly, args.app, id)
            raise TOO_SLOW(
                app=args.app, seconds=args.seconds, command=args.command, epilogue=self._epilogue(args, late)
            ) from None
        show()
        return found if isinstance(found, machines.Machine) else None

    def _epilogue(self, args: ReleaseCommandArgs, machine: "machines.Machine | None") -> str:
        return logs.epilogue(self.fly, args.app, machine, machine.id if machine else MACHINE)

    def _clear(self, app: str) -> None:
        """Destroy the machine that a run that died has left; it may still run the command.

        A new machine is listed before it can be looked up, and one that is being destroyed keeps its name: so look again.
        """

        def cleared() -> bool | None:
            left = [
                machine
                for machine in machines.list_all(self.fly, app, with_destroyed=True)
                if machine.name == MACHINE and machine.state != "destroyed"
            ]
            for machine in left:
                machine_states.destroy(self.fly, app, machine.id, at_once=True)
            return None if left else True

        with suppress(client.NotFound):
            waiting.poll(
                cleared,
                seconds=machine_states.GONE_SECONDS,
                waiting_for=f"machine {MACHINE} of app {app}, left by an earlier run, to be destroyed",
            )


def exit_code(machine: "machines.Machine | None") -> int | None:
    """The exit code of the machine's process; None while it runs, or where it is not known."""
    for event in machine.events if machine else ():
        if event.exit:
            code = event.exit.guest_exit_code if event.exit.exit_code is None else event.exit.exit_code
            return 0 if code is None else code
    return None


class ReleaseCommand(Resource[ReleaseCommandArgs], module="fly", name="ReleaseCommand"):
    """Evidence that the release command succeeded; its id is `<app>/release-command`.

    app: replaces. image, config, secrets_version, release: runs the command again. seconds: takes effect with the next run.
    """

    provider = ReleaseCommandProvider

    finished_at: Output[str]
    took_seconds: Output[float]
