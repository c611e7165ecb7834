"""`python -m rehearsal.engine OPERATION --stack NAME`: the embedded engine, with the CLI's words and exit codes."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rehearsal.engine.backend import Locked
from rehearsal.engine.crypter import WrongPassphrase
from rehearsal.engine.operations import Engine
from rehearsal.engine.project import BadProject, load
from rehearsal.engine.values import mapped, plain

CHANGES_FOUND = 7


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        engine = Engine(load(options.cwd.absolute(), options.stack, options.config_file))
        if options.operation == "output":
            return _output(engine, options)
        if options.operation == "export":
            print(json.dumps(engine.export(), indent=2))
            return 0
        run: dict[str, Any] = {
            "preview": lambda: engine.preview(refresh=options.refresh),
            "up": lambda: engine.up(refresh=options.refresh, skip_preview=options.skip_preview),
            "refresh": engine.refresh,
            "destroy": engine.destroy,
        }
        display = run[options.operation]()
    except (BadProject, WrongPassphrase, Locked) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if display.errors:
        return 1
    return CHANGES_FOUND if options.expect_no_changes and display.has_changes else 0


def _output(engine: Engine, options: argparse.Namespace) -> int:
    outputs = engine.outputs()
    shown = plain(outputs) if options.show_secrets else mapped(outputs, lambda secret: "[secret]")
    if options.name and options.name not in shown:
        print(f"error: stack {options.stack} has no output {options.name}", file=sys.stderr)
        return 1
    value = shown[options.name] if options.name else shown
    print(value if isinstance(value, str) and not options.json else json.dumps(value, indent=2))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rehearsal.engine", description=__doc__)
    parser.add_argument("operation", choices=["preview", "up", "refresh", "destroy", "output", "export"])
    parser.add_argument("name", nargs="?", help="of the output")
    parser.add_argument("--stack", "-s", required=True)
    parser.add_argument("--cwd", "-C", type=Path, default=Path(), help="the project's folder")
    parser.add_argument("--config-file", type=Path, help="instead of Pulumi.<stack>.yaml")
    parser.add_argument("--yes", "-y", action="store_true", help="accepted for the CLI's sake: nothing is asked here")
    parser.add_argument("--refresh", "-r", action="store_true", help="read every object first (preview, up)")
    parser.add_argument("--skip-preview", "-f", action="store_true")
    parser.add_argument("--expect-no-changes", action="store_true", help="exit code 7 if there are any")
    parser.add_argument("--json", "-j", action="store_true", help="(output)")
    parser.add_argument("--show-secrets", action="store_true", help="(output)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
