"""`python -m report --stack NAME`: write the launch report of a stack, from its state and its settings as they are now.

    python -m report --stack prod
    pulumi stack export --stack prod | python -m report --out report-of-prod

Prints the checklist and writes `launch.html` and `launch.md`. The exit code is 1 if a row is open, 2 if state or settings cannot be
read. FILE is the output of `pulumi stack export`, or the file of a local backend: then the settings are those of the last complete `up`.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from project.files import BadProject
from report import html, markdown, terminal
from report.current import current
from report.launch import gather
from report.source import NotFound
from report.state import NotAState, StackState, read


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m report", description="Write the launch report of a stack.")
    parser.add_argument("file", nargs="?", type=Path, help="output of `pulumi stack export` (default: standard input)")
    parser.add_argument("--stack", help="read the state and the settings of this stack instead")
    parser.add_argument("--config-file", type=Path, help="the settings, instead of Pulumi.<stack>.yaml")
    parser.add_argument("--out", type=Path, help="folder for launch.html and launch.md (default: report-of-NAME)")
    options = parser.parse_args(arguments)
    try:
        stack = _stack(options)
    except OSError as error:
        return _fail(f"cannot read {options.file}: {error.strerror}")
    except ValueError:
        return _fail("the input is not JSON: give the output of `pulumi stack export --stack NAME`")
    except (BadProject, NotAState, NotFound) as error:
        return _fail(str(error))
    launch = gather(stack, datetime.now(UTC))
    out: Path = options.out or Path(f"report-of-{stack.name}")
    terminal.show(launch.findings)
    out.mkdir(parents=True, exist_ok=True)
    for name, text in (("launch.html", html.render(launch)), ("launch.md", markdown.render(launch))):
        (out / name).write_text(text, encoding="utf-8")
    print(f"\n{launch.summary}. Report: {out / 'launch.html'}")
    return 0 if all(finding.holds for finding in launch.findings) else 1


def _stack(options: argparse.Namespace) -> StackState:
    if options.stack:
        return current(options.stack, options.config_file)
    return read(json.loads(options.file.read_text() if options.file else sys.stdin.read()))


def _fail(text: str) -> int:
    print(f"report: {text}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
