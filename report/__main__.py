"""`python -m report --stack NAME`: write the launch report of a stack, from its state alone.

    python -m report --stack prod
    pulumi stack export --stack prod | python -m report --out report-of-prod

Prints the checklist and writes `launch.html` and `launch.md`. The exit code is 1 if a row is open, 2 if there is no state to read.
FILE is the output of `pulumi stack export`, or the file of a local backend.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from report import html, markdown, terminal
from report.launch import gather
from report.source import NotFound, exported
from report.state import NotAState, read


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m report", description="Write the launch report of a stack.")
    parser.add_argument("file", nargs="?", type=Path, help="output of `pulumi stack export` (default: standard input)")
    parser.add_argument("--stack", help="read the state of this stack instead")
    parser.add_argument("--out", type=Path, help="folder for launch.html and launch.md (default: report-of-NAME)")
    options = parser.parse_args(arguments)
    try:
        stack = read(json.loads(_text(options)))
    except OSError as error:
        return _fail(f"cannot read {options.file}: {error.strerror}")
    except ValueError:
        return _fail("the input is not JSON: give the output of `pulumi stack export --stack NAME`")
    except (NotAState, NotFound) as error:
        return _fail(str(error))
    launch = gather(stack, datetime.now(UTC))
    out: Path = options.out or Path(f"report-of-{stack.name}")
    terminal.show(launch.findings)
    out.mkdir(parents=True, exist_ok=True)
    for name, text in (("launch.html", html.render(launch)), ("launch.md", markdown.render(launch))):
        (out / name).write_text(text, encoding="utf-8")
    print(f"\n{launch.summary}. Report: {out / 'launch.html'}")
    return 0 if all(finding.holds for finding in launch.findings) else 1


def _text(options: argparse.Namespace) -> str:
    if options.stack:
        return exported(options.stack)
    text: str = options.file.read_text() if options.file else sys.stdin.read()
    return text


def _fail(text: str) -> int:
    print(f"report: {text}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
