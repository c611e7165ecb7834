"""`python -m status --stack NAME`: what is proven and what is open, from the state of the stack and its settings as they are now.

The stack's outputs are those of the last complete `up`. This counts what was written since: a sign-off, a waiver, a declaration. It
evaluates the same rows as the launch and the report, needs no passphrase, and calls no vendor. The exit code is 2 if the state or
the settings cannot be read.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import asdict, replace

from checklist.known import Known, SignOffs
from checklist.rows import examine, verdict
from components.settings import BadSettings, Settings
from components.settings import read as read_settings
from project.config import read_without_secrets
from project.files import BadProject
from report.source import NotFound, exported
from report.state import NotAState
from report.state import read as read_state
from report.terminal import show


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m status", description="Print the checklist of a stack.")
    parser.add_argument("--stack", "-s", required=True)
    parser.add_argument("--config-file", type=Path, help="instead of Pulumi.<stack>.yaml")
    options = parser.parse_args(arguments)
    try:
        known = read_state(json.loads(exported(options.stack))).known(datetime.now(UTC))
        settings = _settings(options.stack, options.config_file)
    except (BadProject, NotAState, NotFound) as error:
        print(f"status: {error}", file=sys.stderr)
        return 2
    waivers = {row: asdict(waiver) for row, waiver in settings.launch.waivers.items()}
    findings = examine(_with_settings(known, settings), waivers)
    show(findings)
    print(f"\n{verdict(findings)}.")
    return 0


def _settings(stack: str, config_file: Path | None) -> Settings:
    """The settings as far as they can be read: `pulumi preview` reports the problems."""
    files = read_without_secrets(Path.cwd(), stack, config_file)
    try:
        return read_settings(files.config, files.secret_keys, files.folder, files.project)
    except BadSettings as bad:
        return bad.settings


def _with_settings(known: Known, settings: Settings) -> Known:
    return replace(
        known,
        sign_offs=SignOffs.read(settings.launch.smoke_test.summary()),
        label=settings.release.label,
        declared_by=settings.launch.declared_by,
    )


if __name__ == "__main__":
    sys.exit(main())
