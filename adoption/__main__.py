"""`python -m adoption --stack prod`: write an import file for a backend that was created by hand.

It runs the program as a preview does, and looks up the existing object for each resource by its natural key. It changes nothing.
What it finds goes to a file for `pulumi import --file`, under the program's resource names; the next preview then shows exactly
what differs. Without it, `up` adopts the same objects, and shows what it changed only afterwards.

`pulumi import` cannot read a dynamic resource without help: the provider's code is part of the resource, so the file contains it.
"""

import argparse
import asyncio
import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import Config, ConfigureRequest
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime.mocks import MockEngine, MockMonitor, MockResourceArgs, Mocks, MockSettings
from pulumi.runtime.stack import run_in_stack

from adoption.locate import LOCATE, OtherName, secret_names, unclaimed
from components.backend.environment import read_contract
from project.config import read_without_secrets
from project.files import BadProject
from providers.errors import ProviderError
from providers.fly.api.client import Fly, NotFound
from providers.fly.image import ImageProvider
from providers.properties import decode, is_known
from providers.resource import Provider

DYNAMIC = "pulumi-python:dynamic/"
PROVIDERS: dict[str, type[Provider[Any, Any]]] = {
    f"{DYNAMIC}fly:{provider.__name__.removesuffix('Provider')}": provider for provider in (*LOCATE, ImageProvider)
}
"""The providers whose objects can be looked up, by type token."""


class Survey(Mocks):
    """Answers the program with the objects that exist. `found` has the entries of the import file, in the program's order."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.fly = Fly(config)
        self.parents: dict[tuple[str, str], str] = {}
        self.found: list[dict[str, Any]] = []
        self.apps: list[str] = []
        self.missing: list[str] = []
        self.problems: list[str] = []
        self.generated: list[str] = []
        """The names of the secrets that the stack generates."""

    def call(self, args: Any) -> Any:
        return {}

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        entry = {"type": args.typ, "name": args.name, **self._parent(args)}
        if not args.custom:
            self.found.append({**entry, "component": True})
            return None, args.inputs
        inputs = {key: value for key, value in args.inputs.items() if key != "__provider"}
        there = self._look(args.typ, inputs)
        if there is None:
            self.missing.append(f"{args.typ.removeprefix(DYNAMIC)} {args.name}")
            return "", args.inputs
        id, inputs, outputs = there
        code = {"__provider": serialize_provider(PROVIDERS[args.typ]())}
        self.found.append({**entry, "id": id, "inputs": {**inputs, **code}, "outputs": {**outputs, **code}})
        if args.typ.endswith("fly:App"):
            self.apps.append(id)
        return id, outputs

    def _parent(self, args: MockResourceArgs) -> dict[str, str]:
        urn = self.parents[args.typ, args.name]
        return {} if "::pulumi:pulumi:Stack::" in urn else {"parent": urn.rpartition("::")[2]}

    def _look(self, type: str, inputs: dict[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]] | None:
        """ID, inputs and outputs of the existing object; None when there is none, or its natural key is not known yet."""
        kind = PROVIDERS.get(type)
        if kind is None:
            return None
        provider = kind()
        provider.configure(ConfigureRequest(self._config))
        checked = provider.check({}, {key: value for key, value in inputs.items() if is_known(value)})
        if checked.failures:
            return None
        args = decode(kind.Args, checked.inputs)
        try:
            if kind is ImageProvider:
                resolved = provider.create(checked.inputs)
                return str(resolved.id), checked.inputs, resolved.outs or {}
            id = LOCATE[kind](self.fly, args)
            read = provider.read(id, checked.inputs) if id else None
        except NotFound:
            return None
        except OtherName as other:
            self.problems.append(f"{other}: `pulumi config set machine {other.name}`, then run this again")
            return None
        except ProviderError as error:
            self.problems.append(str(error))
            return None
        return (str(read.id), read.inputs or {}, read.outs or {}) if read and read.id else None


class _Monitor(MockMonitor):
    """Records the parent of each resource, which `Mocks` does not get."""

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 (the protocol's name)
        assert isinstance(self.mocks, Survey)
        self.mocks.parents[request.type, request.name] = request.parent
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]  # Pulumi's


def survey(folder: Path, stack: str, config_file: Path | None = None) -> Survey:
    """Run the program in `folder` against the existing objects. Raises BadProject, and pulumi.RunError for bad settings."""
    config = read_without_secrets(folder, stack, config_file)  # No lookup needs a secret.
    os.environ["PULUMI_CONFIG"] = json.dumps(config.config)
    os.environ["PULUMI_CONFIG_SECRET_KEYS"] = json.dumps(sorted(config.secret_keys))
    found = Survey(Config(config.config, config.project))
    environment = config.config[f"{config.project}:environment"]
    found.generated = read_contract(folder / environment, environment)[0].generated()
    pulumi.runtime.configure(
        MockSettings(  # type: ignore[no-untyped-call]  # Pulumi's
            monitor=_Monitor(found),
            engine=MockEngine(None),
            project=config.project,
            stack=stack,
            organization="organization",
            dry_run=True,
            callbacks=None,
        )
    )

    def run() -> None:
        runpy.run_path(str(folder / "__main__.py"), run_name="__main__")

    asyncio.run(run_in_stack(run))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m adoption", description=__doc__)
    parser.add_argument("--stack", "-s", required=True)
    parser.add_argument("--config-file", type=Path, help="instead of Pulumi.<stack>.yaml")
    parser.add_argument("--file", "-f", type=Path, default=Path("import.json"), help="path of the import file")
    options = parser.parse_args()
    try:
        found = survey(Path.cwd(), options.stack, options.config_file)
        report = list(_report(found))
    except (BadProject, ProviderError, pulumi.RunError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("\n".join(report))
    if found.problems:
        return 1
    kept: set[str | None] = set()
    for entry in reversed(found.found):  # A component is registered before what is in it.
        if "id" in entry or entry["name"] in kept:
            kept |= {entry["name"], entry.get("parent")}
    resources = [entry for entry in found.found if entry["name"] in kept]
    options.file.write_text(json.dumps({"resources": resources}, indent=2), encoding="utf-8")
    print(
        f"\npulumi import --stack {options.stack} --file {options.file} --generate-code=false --protect=false\n"
        f"pulumi preview --stack {options.stack} --diff"
    )
    return 0


def _report(found: Survey) -> list[str]:
    """What exists, what is missing, what is not part of the program, and what to consider before `up`."""
    there = [entry for entry in found.found if "id" in entry]
    lines = [f"exists     {entry['type'].removeprefix(DYNAMIC)} {entry['name']}: {entry['id']}" for entry in there]
    lines += [f"to create  {name}" for name in found.missing]
    for app in found.apps:
        lines += [f"not used   {what}" for what in unclaimed(found.fly, app, {entry["id"] for entry in there})]
        replaced = secret_names(found.fly, app) & set(found.generated)
        lines += [
            f"warning    up sets the secret {name} of {app} to a new value, unless you set it: "
            f"`pulumi config set --secret --path 'secrets.{name}'`"
            for name in sorted(replaced)
        ]
    return lines + [f"problem    {problem}" for problem in found.problems]


if __name__ == "__main__":
    sys.exit(main())
