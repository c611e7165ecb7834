"""The secrets of an app: one resource for all of them, because Fly sets and unsets many in one atomic call.

Values are write-only. What Fly shows is an opaque digest for each, so the digests after our write are what drift is measured
against. A new value reaches a machine when a new version of the machine is made; wire `version` to the machine
(fly.md, section 8.1). Secrets that this resource never set (by `fly secrets set`, say) are left alone.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any

import pulumi
from pulumi import Output

from providers.errors import ProviderError
from providers.fly.api.client import NotFound, just_made
from providers.fly.provider import FlyProvider
from providers.properties import REPLACES
from providers.record import Input, field, record
from providers.resource import Resource

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
CHANGED_ELSEWHERE = "(changed elsewhere)"
"""Stands for a value that is no longer ours, so that refresh and preview show that it differs."""


@record
class SecretsArgs:
    app: Annotated[Input[str], REPLACES]
    """Changing it sets the secrets in the new app and unsets them in the old one."""
    values: Input[dict[str, str]]
    """Name to value; encrypted in state. Changed, added and dropped names reach Fly in one batch."""


@record
class SecretsState(SecretsArgs):
    version: int = 0
    """Fly's number of the app's secrets after the last write; a machine waits for it (`secrets_version`)."""
    digests: dict[str, str] = field(default_factory=dict)


class SecretsProvider(FlyProvider[SecretsArgs, SecretsState]):
    Args = SecretsArgs
    State = SecretsState

    def validate(self, args: SecretsArgs, old: SecretsArgs | None) -> Iterable[str]:
        for name, value in sorted(args.values.items()):
            if not NAME.fullmatch(name):
                yield f"the secret name {name!r} cannot be an environment variable"
            if not value:
                yield f"the secret {name} has an empty value: set it, or leave it out to unset it"

    def ensure(self, args: SecretsArgs) -> tuple[str, SecretsState]:
        return args.app, self._write(args, unset=())

    def observe(self, id: str, state: SecretsState) -> SecretsState | None:
        try:
            now = self._digests(state.app)
        except NotFound:
            return None
        if state.digests and not now.keys() & state.digests.keys():
            return None
        kept = {
            name: value if state.digests.get(name) == now[name] else CHANGED_ELSEWHERE
            for name, value in state.values.items()
            if name in now
        }
        ours = {name: digest for name, digest in now.items() if name in state.digests}
        return SecretsState(app=state.app, values=kept, version=state.version, digests=ours)

    def sync(self, id: str, state: SecretsState, args: SecretsArgs) -> SecretsState:
        return self._write(args, unset=state.digests.keys() - args.values.keys())

    def remove(self, id: str, state: SecretsState) -> None:
        try:
            self._post(state.app, dict.fromkeys(self._digests(state.app).keys() & state.digests.keys()))
        except NotFound:
            return

    def _write(self, args: SecretsArgs, unset: Iterable[str]) -> SecretsState:
        answer = just_made(lambda: self._post(args.app, {**args.values, **dict.fromkeys(unset)}))
        listed = {secret["name"]: secret["digest"] for secret in answer.get("secrets") or ()}
        if not args.values.keys() <= listed.keys():
            listed = self._digests(args.app)
        missing = sorted(args.values.keys() - listed.keys())
        if missing:
            raise ProviderError(
                f"Fly took the secrets of {args.app!r} but does not list {', '.join(missing)}: run up again"
            )
        digests = {name: listed[name] for name in args.values}
        return SecretsState(app=args.app, values=args.values, version=int(answer.get("version") or 0), digests=digests)

    def _post(self, app: str, values: dict[str, str | None]) -> dict[str, Any]:
        """Set what has a value and unset what has None. Repeatable: the same batch twice has the same effect."""
        if not values:
            return {}
        answer: dict[str, Any] = self.fly.call(
            "POST",
            f"/apps/{app}/secrets",
            doing=f"set the secrets of the app {app!r}",
            body={"values": values},
            safe=True,
        )
        return answer

    def _digests(self, app: str) -> dict[str, str]:
        answer = self.fly.call("GET", f"/apps/{app}/secrets", doing=f"list the secrets of the app {app!r}")
        return {secret["name"]: secret["digest"] for secret in answer.get("secrets") or ()}


class Secrets(Resource[SecretsArgs], module="fly", name="Secrets"):
    """All secrets of an app that this stack sets; its id is the app's name.

    values: changed in place, in one batch; wrap them in `pulumi.Output.secret`. app: changing it replaces.
    """

    provider = SecretsProvider

    version: Output[int]
    digests: Output[dict[str, str]]

    def __init__(self, resource_name: str, args: SecretsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(resource_name, replace(args, values=pulumi.Output.secret(args.values)), opts)
