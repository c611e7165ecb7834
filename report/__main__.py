"""`python -m report [FILE] --out FOLDER`: write the launch report of a stack from its exported state.

    pulumi stack export --stack prod | python -m report --out report-of-prod

prints the checklist, writes `launch.html` and `launch.md`, and exits 1 when a row is open, 2 when there is nothing to read.
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
from report.state import NotAState, read


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m report", description="Write the launch report of a stack.")
    parser.add_argument(
        "file", nargs="?", type=Path, help="what `pulumi stack export` printed (default: standard input)"
    )
    parser.add_argument("--out", type=Path, default=Path("launch-report"), help="folder for launch.html and launch.md")
    options = parser.parse_args(arguments)
    try:
        stack = read(json.loads(options.file.read_text() if options.file else sys.stdin.read()))
    except OSError as error:
        return _give_up(f"cannot read {options.file}: {error.strerror}")
    except ValueError:
        return _give_up("this is no JSON: give the output of `pulumi stack export --stack NAME`")
    except NotAState as error:
        return _give_up(str(error))
    launch = gather(stack)
    print(checklist_text(launch.findings))
    options.out.mkdir(parents=True, exist_ok=True)
    for name, text in (("launch.html", html.render(launch)), ("launch.md", markdown.render(launch))):
        (options.out / name).write_text(text)
    print(f"\n{launch.verdict}. Report: {options.out / 'launch.html'}")
    return 0 if all(finding.holds for finding in launch.findings) else 1


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
