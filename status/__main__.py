"""`python -m status --stack NAME`: what is proven and what is open, from the state of the stack and its settings as they are now.

It prints the checklist of the report, needs no passphrase, and calls no vendor. The exit code is 2 if the state or the settings cannot
be read.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from project.files import BadProject
from report.current import current
from report.launch import gather
from report.source import NotFound
from report.state import NotAState
from report.terminal import show


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m status", description="Print the checklist of a stack.")
    parser.add_argument("--stack", "-s", required=True)
    parser.add_argument("--config-file", type=Path, help="instead of Pulumi.<stack>.yaml")
    options = parser.parse_args(arguments)
    try:
        launch = gather(current(options.stack, options.config_file), datetime.now(UTC))
    except (BadProject, NotAState, NotFound) as error:
        print(f"status: {error}", file=sys.stderr)
        return 2
    show(launch.findings)
    print(f"\n{launch.summary}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
