"""`python -m compare fly --org ORG`: does the vendor answer as its double does?

Makes a few objects in the account, walks through the calls of the providers, and deletes what it has made; `infra-docs/COMPARE.md` says
exactly what. Then it does the same with the double, and prints each difference in one line. Exits with 0 if none is new, with 1 if
some are, with 2 if the run was not complete or something is left.
"""

import argparse
import contextlib
import datetime as dt
import math
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from compare import deviations, evidence, recording, run, side
from compare.diff import differences
from compare.recording import Recording
from compare.run import Outcome
from compare.script import Script, Unlisted, read
from compare.side import Side
from compare.wire import Budget, OverBudget
from providers.errors import ProviderError

Number = TypeVar("Number", int, float)

CALLS, MINUTES = 600, 45.0
SAME, DIFFERENT, INCOMPLETE = 0, 1, 2
CHECK = {
    "fly": "; check ORG, and that FLY_API_TOKEN is a token of this organisation",
    "appstore": "; check APP, the three variables of the key, and its role",
}
"""What is probably wrong if the vendor refuses to show what exists."""


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    try:
        with contextlib.ExitStack() as stack:
            if options.rehearse:
                tried: Side = stack.enter_context(side.of_double(options.vendor))
            else:
                tried = side.of_vendor(options.vendor, {**os.environ, **vars(options)})
            return _compare(tried, stack.enter_context(side.of_double(options.vendor)), options)
    except Unlisted as unlisted:
        reason = f"{unlisted}{CHECK[options.vendor] if unlisted.status in (401, 403, 404) else ''}"
    except (side.Missing, ProviderError) as error:
        reason = str(error)
    except OverBudget:
        reason = f"{options.calls} calls and {options.minutes:g} minutes are not enough to look for leftovers"
    except KeyboardInterrupt:
        reason = "interrupted"
    print(f"nothing was compared: {reason}", file=sys.stderr)
    return INCOMPLETE


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("vendor", choices=side.VENDORS)
    parser.add_argument("--org", default="", help="the organisation at Fly; use one that has nothing else in it")
    parser.add_argument("--app", default="", help="the Apple ID of an app, in which groups are made and deleted")
    parser.add_argument("--email", default="", help="an address of yours that takes tags, for --with testers")
    parser.add_argument("--with", dest="extras", default="", help="parts on request: postgres; certificate,testers")
    parser.add_argument(
        "--calls", type=_positive(int), default=CALLS, help="the budget of calls (default: %(default)s)"
    )
    parser.add_argument(
        "--minutes", type=_positive(float), default=MINUTES, help="the budget of minutes (default: %(default)s)"
    )
    parser.add_argument("--keep", action="store_true", help="keep what was seen in tests/recordings")
    parser.add_argument("--yes", action="store_true", help="do not ask: for CI")
    parser.add_argument("--clean", action="store_true", help="only delete what an earlier run has left")
    parser.add_argument("--rehearse", action="store_true", help="compare the double with itself; needs no account")
    return parser.parse_args(arguments)


def _positive(type: Callable[[str], Number]) -> Callable[[str], Number]:
    def positive(text: str) -> Number:
        number = type(text)
        if not number > 0:
            raise argparse.ArgumentTypeError(f"{text} is not greater than 0")
        return number

    positive.__name__ = "number"  # for argparse, whose message contains it
    return positive


def _extras(script: Script, options: argparse.Namespace) -> list[str]:
    """The parts on request. Raises Missing if the script has no such part."""
    chosen = [name for name in options.extras.split(",") if name]
    known = sorted({part.option for part in script.parts} - {""})
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise side.Missing(f"WITH={','.join(unknown)} is unknown; {script.title} has {','.join(known)}")
    return chosen


def _compare(tried: Side, double: Side, options: argparse.Namespace) -> int:
    extras = _extras(tried.script, options)
    print("\n".join(_plan(tried, extras, options)), flush=True)
    if not (options.yes or options.rehearse or _is_confirmed(tried.script)):
        print("nothing was changed")
        return INCOMPLETE
    if options.clean:
        left = run.clean(tried.script, tried.wire(_budget(options)))
        print("\n".join(f"LEFT: {title}" for title in left) or "nothing is left")
        return INCOMPLETE if left else SAME
    seen = _run(tried, extras, options, None if options.rehearse else _report)
    expected = _run(double, extras, options, None)
    lines = differences(seen.recording, expected.recording)
    known = {line: why for line in lines if (why := deviations.reason(tried.script.vendor, line))}
    new = [line for line in lines if line not in known]
    accepted = [f"known: {line}: {why}" for line, why in known.items()]
    unseen = [] if options.rehearse or seen.stopped else deviations.stale(tried.script.vendor, lines)
    stale = [f"stale, remove it from compare/deviations.py: {start}" for start in unseen]
    print("\n".join([*new, *accepted, *stale, *_summary(tried.script, seen, len(new), len(accepted), extras)]))
    if options.keep and not seen.stopped:
        print(f"kept: {_keep(seen.recording)}")
    return INCOMPLETE if seen.left or seen.stopped else DIFFERENT if new else SAME


def _budget(options: argparse.Namespace) -> Budget:
    return Budget(options.calls, options.minutes)


def _run(each: Side, extras: list[str], options: argparse.Namespace, report: Callable[[str], None] | None) -> Outcome:
    today = dt.datetime.now(dt.UTC).date()
    assumed = evidence.assumed(each.script.vendor)
    wire = each.wire(_budget(options))
    return run.run(each.script, wire, source=each.source, date=today, options=extras, assumed=assumed, report=report)


def _report(doing: str) -> None:
    print(f"  {doing}", file=sys.stderr, flush=True)


def _plan(tried: Side, extras: list[str], options: argparse.Namespace) -> Iterator[str]:
    """What would happen, and what is there of earlier runs. Only reads. Raises Unlisted."""
    script = tried.script
    where = "the double, in this process" if options.rehearse else f"{script.title}, {script.account}"
    cents = math.ceil(script.cents(extras, options.minutes * 60) * 10) / 10
    yield f"Compare with {where}."
    yield f"  creates   {'; '.join([script.creates, *(f'on request: {name}' for name in extras)])}"
    yield f"  deletes   all of that again, also if a call fails; nothing without the mark {script.values['mark']}"
    yield f"  budget    {options.calls} calls, {options.minutes:g} minutes, at most {cents:g} cents"
    wire = tried.wire(_budget(options))
    if script.required:
        read(wire, script.required)
    for look in script.leftovers:
        for item in look(wire):
            yield f"  leftover  {item.title}, of an earlier run: is deleted first"


def _is_confirmed(script: Script) -> bool:
    try:
        return input(f"Type {script.account} to start: ").strip() == script.account
    except EOFError:
        print("no terminal: start it with YES=1 if nobody is to be asked")
        return False


def _summary(script: Script, seen: Outcome, new: int, known: int, extras: list[str]) -> Iterable[str]:
    steps = seen.recording.steps
    sent = sum(not step.missing for step in steps)
    cents = math.ceil(script.cents(extras, seen.seconds) * 100) / 100
    throttled = f", {seen.throttled} of them throttled" if seen.throttled else ""
    found = f"{new} difference{'' if new == 1 else 's'}{f' and {known} known' if known else ''}"
    spent = f"{seen.calls} calls{throttled}, {seen.seconds:.0f} seconds, at most {cents:g} cents"
    yield f"{found} in {sent} steps; {spent}"
    for missing in dict.fromkeys(step.missing for step in steps if step.missing):
        yield f"not sent, no {missing}: {', '.join(step.step for step in steps if step.missing == missing)}"
    if seen.stopped:
        yield f"NOT COMPLETE: {seen.stopped}"
    for title in seen.left:
        yield f"LEFT: {title}; run the same command with CLEAN=1, or delete it yourself"


def _keep(seen: Recording) -> Path:
    """Write the recording, and the column of evidence in the vendor's page."""
    path = recording.path_of(seen)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(recording.dump(seen), encoding="utf-8")
    page = evidence.page(seen.vendor)
    text = evidence.rewritten(page.read_text(encoding="utf-8"), seen.vendor, recording.kept())
    page.write_text(text, encoding="utf-8")
    return path


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a job that is cancelled deletes what it has made
    sys.exit(main())
