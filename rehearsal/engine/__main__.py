"""`python -m rehearsal.engine COMMAND --stack NAME`: the embedded engine, with the commands and exit codes of the CLI."""

import gc

# What the imports create stays until the end: collecting it, during the imports and at exit, takes a third of their CPU time.
if __name__ == "__main__":
    gc.disable()

import argparse
import functools
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from project.config import DecryptedStack, project_name
from project.crypter import WrongPassphrase
from project.files import BadProject, create_private
from project.state import state_file
from rehearsal.engine.backend import Backend, Locked, root_of
from rehearsal.engine.display import short_type
from rehearsal.engine.local_stack import load
from rehearsal.engine.operations import Engine, NotDeletable
from rehearsal.engine.snapshot import Snapshot
from rehearsal.engine.stack_file import StackFile
from rehearsal.engine.targets import Targets
from rehearsal.engine.values import mapped, plain

CHANGES_FOUND = 7
ORGANIZATION = "organization"
"""The only one of a file backend."""
MAX_NAME_BYTES = 100


class Refused(Exception):
    """The requested output or key does not exist, the stack exists already, or its name is not valid. The texts are the CLI's."""


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except (BadProject, WrongPassphrase, Locked, NotDeletable, Refused) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return code


def _operate(options: argparse.Namespace) -> int:
    engine = _engine(options)
    targets = Targets(only=tuple(options.target), exclude=tuple(options.exclude), dependents=options.target_dependents)
    run: dict[str, Callable[[], Any]] = {
        "preview": lambda: engine.preview(refresh=options.refresh, targets=targets),
        "up": lambda: engine.up(refresh=options.refresh, skip_preview=options.skip_preview, targets=targets),
        "refresh": lambda: engine.refresh(targets=targets),
        "destroy": lambda: engine.destroy(
            skip_preview=options.skip_preview, exclude_protected=options.exclude_protected, targets=targets
        ),
    }
    display = run[options.command]()
    if display.errors:
        return 1
    return CHANGES_FOUND if options.expect_no_changes and display.has_changes else 0


def _init(options: argparse.Namespace) -> int:
    folder = options.cwd.absolute()
    name = _stack_name(options.name, folder)
    project = project_name(folder)
    if state_file(root_of(folder), project, name).exists():
        raise Refused(f"stack '{ORGANIZATION}/{project}/{name}' already exists")
    crypter = StackFile(folder, name, options.config_file).init()
    Backend(DecryptedStack(project, name, folder, {}, frozenset(), crypter)).save(Snapshot())
    print(f"Created stack '{name}'")
    return 0


def _resources(options: argparse.Namespace) -> int:
    for entry in _engine(options).backend.load():
        print(f"    {short_type(entry.type):<26} {entry.name}")
        if options.show_urns:
            print(f"        URN: {entry.urn}")
    return 0


def _export(options: argparse.Namespace) -> int:
    text = json.dumps(_engine(options).export(), indent=2)
    if options.file:
        with create_private(options.file) as file:
            file.write(text)
    else:
        print(text)
    return 0


def _output(options: argparse.Namespace) -> int:
    outputs = _engine(options).outputs()
    shown = plain(outputs) if options.show_secrets else mapped(outputs, lambda secret: "[secret]")
    if options.name and options.name not in shown:
        raise Refused(f"current stack does not have output property '{options.name}'")
    value = shown[options.name] if options.name else shown
    print(value if isinstance(value, str) and not options.json else json.dumps(value, indent=2))
    return 0


def _config(options: argparse.Namespace) -> int:
    folder = options.cwd.absolute()
    file = StackFile(folder, _stack_name(options.stack, folder), options.config_file)
    if options.command == "get":
        value = file.get(options.key, path=options.path)
        if value is None:
            raise Refused(f"configuration key '{options.key}' not found for stack '{options.stack}'")
        print(value if isinstance(value, str) else json.dumps(value))
    elif options.command == "set":
        text = sys.stdin.read().rstrip("\n") if options.value is None else options.value
        file.set(options.key, text, path=options.path, secret=options.secret, as_text=options.type is not None)
    else:
        file.remove(options.key, path=options.path)
    return 0


def _state(options: argparse.Namespace) -> int:
    engine = _engine(options)
    if options.command == "unprotect":
        engine.unprotect(options.urns)
        print("All resources unprotected" if options.all else "Resource unprotected")
        return 0
    for urn in options.urns:
        engine.forget(urn, with_dependents=options.target_dependents)
    print("Resource deleted")
    return 0


def _engine(options: argparse.Namespace) -> Engine:
    folder = options.cwd.absolute()
    return Engine(load(folder, _stack_name(options.stack, folder), options.config_file))


def _stack_name(reference: str | None, folder: Path) -> str:
    """The stack that the user names: `dev`, `organization/dev` or `organization/<project>/dev`. Raises Refused."""
    if not reference:
        raise Refused("no stack selected; specify a stack name with --stack")
    *above, name = reference.split("/")
    if above and above[0] != ORGANIZATION:
        raise Refused(f"organization name must be '{ORGANIZATION}'")
    if len(above) > 1 and above[1:] != [project_name(folder)]:
        raise Refused(f"no stack named '{reference}' found")
    encoded = name.encode()
    if not encoded:
        raise Refused("a stack name may not be empty")
    if len(encoded) > MAX_NAME_BYTES:
        raise Refused(f"a stack name cannot exceed {MAX_NAME_BYTES} characters")
    if invalid := re.search(rb"[^A-Za-z0-9_.-]", encoded):
        character = chr(invalid[0][0])  # of the byte, as the CLI does
        raise Refused(
            "a stack name may only contain alphanumeric, hyphens, underscores, or periods: "
            f"invalid character {character!r} at position {invalid.start()}"
        )
    return name


@functools.cache  # tests run many commands in one process
def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rehearsal.engine", description=__doc__)
    everywhere = argparse.ArgumentParser(add_help=False)
    everywhere.add_argument("--cwd", "-C", type=Path, default=Path(), help="the project's folder")
    everywhere.add_argument("--config-file", type=Path, help="instead of Pulumi.<stack>.yaml")
    everywhere.add_argument(
        "--yes", "-y", action="store_true", help="accepted for compatibility: this engine never asks"
    )
    of_a_stack = argparse.ArgumentParser(add_help=False, parents=[everywhere])
    of_a_stack.add_argument("--stack", "-s", required=True)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(of: Any, name: str, run: Callable[[argparse.Namespace], int], *parents: Any) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = of.add_parser(name, parents=parents or [of_a_stack])
        added.set_defaults(run=run, command=name)
        return added

    for name in ("preview", "up", "refresh", "destroy"):
        operation = command(commands, name, _operate)
        operation.add_argument("--refresh", "-r", action="store_true", help="refresh the state first (preview, up)")
        operation.add_argument("--skip-preview", "-f", action="store_true")
        operation.add_argument("--expect-no-changes", action="store_true", help="exit code 7 if there are any")
        operation.add_argument(
            "--target", "-t", action="append", default=[], help="a URN, with * or **; all others stay"
        )
        operation.add_argument("--target-dependents", action="store_true", help="with what depends on the targets")
        operation.add_argument("--exclude", action="append", default=[], help="a URN, with * or **, that stays")
        operation.add_argument("--exclude-protected", action="store_true", help="what is protected stays (destroy)")

    of_stack = command(commands, "stack", _resources, everywhere)
    of_stack.add_argument("--stack", "-s")
    of_stack.add_argument("--show-urns", "-u", action="store_true")
    stack = of_stack.add_subparsers()
    command(stack, "init", _init, everywhere).add_argument("name")
    command(stack, "export", _export).add_argument("--file", type=Path, help="instead of the standard output")
    output = command(stack, "output", _output)
    output.add_argument("name", nargs="?")
    output.add_argument("--json", "-j", action="store_true")
    output.add_argument("--show-secrets", action="store_true")

    config = commands.add_parser("config").add_subparsers(required=True)
    for name in ("get", "set", "rm"):
        about_one = command(config, name, _config)
        about_one.add_argument("key")
        about_one.add_argument("--path", action="store_true", help="the key is a path into an object or a list")
        if name == "set":
            about_one.add_argument("value", nargs="?", help="default: read from standard input")
            about_one.add_argument("--secret", action="store_true", help="encrypt it")
            about_one.add_argument("--type", choices=["string"], help="keep the value a string")

    state = commands.add_parser("state").add_subparsers(required=True)
    for name in ("unprotect", "delete"):
        about_some = command(state, name, _state)
        about_some.add_argument("urns", nargs="*")
    state.choices["unprotect"].add_argument("--all", action="store_true")
    state.choices["delete"].add_argument("--target-dependents", action="store_true", help="also delete its dependents")
    return parser


if __name__ == "__main__":
    gc.freeze()
    gc.enable()
    sys.exit(main())
