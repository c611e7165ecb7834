"""`python -m report --stack NAME`: write the launch report of a stack, from its state alone.

    python -m report --stack prod
    pulumi stack export --stack prod | python -m report --out report-of-prod

print the checklist, write `launch.html` and `launch.md`, and exit 1 when a row is open, 2 when there is nothing to read. A FILE is what
`pulumi stack export` printed, or what a backend keeps.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from report import html, markdown
from report.checklist import Finding
from report.launch import gather
from report.source import NotToBeHad, exported
from report.state import NotAState, read


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m report", description="Write the launch report of a stack.")
    parser.add_argument(
        "file", nargs="?", type=Path, help="what `pulumi stack export` printed (default: standard input)"
    )
    parser.add_argument("--stack", help="find its state instead")
    parser.add_argument("--out", type=Path, help="folder for launch.html and launch.md (default: report-of-NAME)")
    options = parser.parse_args(arguments)
    try:
        stack = read(json.loads(_text(options)))
    except OSError as error:
        return _give_up(f"cannot read {options.file}: {error.strerror}")
    except ValueError:
        return _give_up("this is no JSON: give the output of `pulumi stack export --stack NAME`")
    except (NotAState, NotToBeHad) as error:
        return _give_up(str(error))
    launch = gather(stack)
    out: Path = options.out or Path(f"report-of-{stack.name}")
    print(checklist_text(launch.findings))
    out.mkdir(parents=True, exist_ok=True)
    for name, text in (("launch.html", html.render(launch)), ("launch.md", markdown.render(launch))):
        (out / name).write_text(text)
    print(f"\n{launch.verdict}. Report: {out / 'launch.html'}")
    return 0 if all(finding.holds for finding in launch.findings) else 1


def _text(options: argparse.Namespace) -> str:
    if options.stack:
        return exported(options.stack)
    text: str = options.file.read_text() if options.file else sys.stdin.read()
    return text


def checklist_text(findings: Sequence[Finding]) -> str:
    """The checklist for a terminal: a line a row, under the heading of its group."""
    lines: list[str] = []
    for group, of_group in groupby(findings, key=lambda finding: finding.row.group):
        lines.append(f"\n{group}")
        lines += [f"  {f.state:8} {f.row.title}: {f.evidence}" for f in of_group]
    return "\n".join(lines).removeprefix("\n")


def _give_up(text: str) -> int:
    print(f"report: {text}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
