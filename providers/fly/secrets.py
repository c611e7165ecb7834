"""The secrets of an app: one resource for all of them, because Fly sets and unsets many in one atomic call.

Values are write-only. Fly shows an opaque digest for each, and drift is a digest that differs from the one after our write. A new
value reaches a machine with its next version: wire `version` to the machine. Secrets that this resource never set (for example
by `fly secrets set`) are left alone.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Annotated

import pulumi
from msgspec.structs import replace
from pulumi import Output

from providers import engine, waiting
from providers.adoption import Adoptable
from providers.creation import LOOK_AGAIN_SECONDS
from providers.errors import ErrorText, Problem, ProblemText, TimedOut
from providers.fly.api import client, machines, secrets
from providers.fly.provider import FlyProvider
from providers.properties import KEPT, REPLACES, is_known
from providers.record import Input, field
from providers.resource import Resource

NAME = r"[A-Za-z_][A-Za-z0-9_]*"
CHANGED_ELSEWHERE = "(changed elsewhere)"
"""The value that refresh and preview show for a secret that another client has changed."""

FOREIGN = "app {app} has secrets that this stack does not set: {names}"
STAGED = "{name} (staged: the machine gets it with its next update)"
BAD_NAME = ProblemText("values", "secret name '{name}' is not a valid environment variable")
EMPTY = ProblemText("values", "secret {name} has an empty value", remedy="set it, or leave it out to unset it")
GENERATED_AGAIN = ProblemText(
    "values",
    "secret {name} was set to a given value, and would now get a generated one: what was made with it, for example sessions, would end",
    remedy="restore it in the configuration; to change it on purpose, set it to a new value there",
)
NOT_LISTED = ErrorText(
    "Fly accepted the secrets of app {app}, but does not list {missing}", remedy="run `pulumi up` again"
)


class SecretsArgs(Adoptable):
    app: Annotated[Input[str], REPLACES]
    """Changing it sets the secrets in the new app and unsets them in the old one."""
    values: Input[dict[str, str]]
    """Name to value; encrypted in state. Changed, added and removed names are sent in one batch."""
    generated: Annotated[Input[list[str] | None], KEPT] = field(default=None)
    """Names of those whose value is generated. A given value is not replaced by a generated one."""


class SecretsState(SecretsArgs):
    version: int = 0
    """Fly's version of the app's secrets after the last write; a machine waits for it (`secrets_version`)."""
    digests: dict[str, str] = field(default_factory=dict)


class SecretsProvider(FlyProvider[SecretsArgs, SecretsState]):
    Args = SecretsArgs
    State = SecretsState
    validates_unknown = True  # A value that is about to be generated is unknown.

    def validate(self, args: SecretsArgs, old: SecretsArgs | None) -> Iterable[Problem]:
        if old and old.app == args.app and old.generated is not None and is_known(args.generated):
            for name in sorted(set(args.generated or ()) & set(old.values) - set(old.generated)):
                yield GENERATED_AGAIN(name=name)
        if not is_known(args.values):
            return
        for name, value in sorted(args.values.items()):
            if not re.fullmatch(NAME, name):
                yield BAD_NAME(name=name)
            if not value:
                yield EMPTY(name=name)

    def changed_fields(self, state: SecretsState, args: SecretsArgs) -> Iterable[str]:
        """The engine hides all values, so a note names the secrets that differ."""
        changed = list(super().changed_fields(state, args))
        if "values" in changed and is_known(args.values):
            engine.note(f"secrets: {', '.join(_changes(state.values, args.values))}")
        return changed

    def ensure(self, args: SecretsArgs) -> tuple[str, SecretsState]:
        return args.app, self._write(args)

    def observe(self, id: str, state: SecretsState) -> SecretsState | None:
        """Secrets of which none is listed are looked for again: a list can lag behind their creation."""

        def shown() -> "secrets.Secrets | None":
            found = secrets.list_all(self.fly, state.app)
            return found if not state.digests or found.digests.keys() & state.digests.keys() else None

        try:
            listed = waiting.poll(
                shown, seconds=LOOK_AGAIN_SECONDS, waiting_for=f"the secrets of app {state.app} to be listed"
            )
        except (client.NotFound, TimedOut):
            return None
        now = listed.digests
        kept = {
            name: value if state.digests.get(name) == now[name] else CHANGED_ELSEWHERE
            for name, value in state.values.items()
            if name in now
        }
        if others := sorted(now.keys() - state.digests.keys()):
            staged = secrets.staged(listed.secrets, machines.living(self.fly, state.app))
            names = [STAGED.format(name=name) if name in staged else name for name in others]
            engine.note(FOREIGN.format(app=state.app, names=", ".join(names)))
        ours = {name: digest for name, digest in now.items() if name in state.digests}
        return SecretsState(app=state.app, values=kept, version=state.version, digests=ours)

    def sync(self, id: str, state: SecretsState, args: SecretsArgs) -> SecretsState:
        """A secret that the app had before the stack is never unset."""
        unset = state.digests.keys() - args.values.keys() - set(args.existed)
        return self._write(args, state, unset)

    def remove(self, id: str, state: SecretsState) -> None:
        try:
            ours = secrets.list_all(self.fly, state.app).digests.keys() & state.digests.keys() - set(state.existed)
            secrets.write(self.fly, state.app, dict.fromkeys(ours))
        except client.NotFound:
            return

    def _write(self, args: SecretsArgs, before: SecretsState | None = None, unset: Iterable[str] = ()) -> SecretsState:
        values: dict[str, str | None] = {**args.values, **dict.fromkeys(unset)}
        response = client.retry_until_visible(lambda: secrets.write(self.fly, args.app, values))
        listed: Mapping[str, str] = response.digests
        if not all(map(listed.get, args.values)):  # Whether the response has digests is not documented.
            listed = self._listed(args, before)
        digests = {name: listed[name] for name in args.values}
        version = response.version or (before.version if before else 0)
        return SecretsState(app=args.app, values=args.values, version=version, digests=digests)

    def _listed(self, args: SecretsArgs, before: SecretsState | None) -> Mapping[str, str]:
        """The digests after a write, once the list shows it: it can lag behind. Raises when a secret does not appear."""
        values, digests = (before.values, before.digests) if before else ({}, {})
        old = {name: digests.get(name) for name in values if args.values.get(name) != values[name]}
        now: Mapping[str, str] = {}

        def shown() -> Mapping[str, str] | None:
            nonlocal now
            now = secrets.list_all(self.fly, args.app).digests
            is_new = all(map(now.get, args.values)) and all(now.get(name) != old[name] for name in old)
            return now if is_new else None

        with suppress(TimedOut):
            waiting.poll(shown, seconds=LOOK_AGAIN_SECONDS, waiting_for=f"the secrets of app {args.app}")
        if missing := sorted(args.values.keys() - now.keys()):
            raise NOT_LISTED(app=args.app, missing=", ".join(missing))
        return now


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    """How each secret differs, by name and without its value."""
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            yield f"{name} added"
        elif name not in after:
            yield f"{name} removed"
        elif before[name] == CHANGED_ELSEWHERE:
            yield f"{name} was changed elsewhere and is set back"
        elif before[name] != after[name]:
            yield f"{name} changed"


class Secrets(Resource[SecretsArgs], module="fly", name="Secrets"):
    """All secrets of an app that this stack sets; its id is the app's name.

    values: encrypted; changed in place, in one batch. app: changing it replaces.
    """

    provider = SecretsProvider

    version: Output[int]
    digests: Output[dict[str, str]]

    def __init__(self, resource_name: str, args: SecretsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(resource_name, replace(args, values=pulumi.Output.secret(args.values)), opts)
