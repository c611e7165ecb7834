"""Changes every file of monitoring/ in small ways, and counts how many of the changes a test notices: `make monitoring-mutants`.

    python -m tests.monitoring.mutants [FILE …]     for example rules/backup.yml; without it, all files

A rule is made to fire never and always, its times and thresholds change by a factor, labels are removed. Of every other file, each
line is deleted, and numbers and names in it are changed. Only the tests that read the file run, the fastest first, until one fails:
tests of the configuration, then promtool's tests of the rules, then the simulated days. All of them run in `make test` too, except
for the longer days.
"""

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import yaml

from components.monitoring import machines
from tests.needs import find

ROOT = Path(__file__).resolve().parents[2]
PARALLEL, CAUGHT = 2, 17
TESTS = {
    "rules": ("rules.py::test_thresholds", "sources.py"),
    "receivers": ("configs.py", "routes.py"),
    "sinks": ("configs.py", "machines.py"),
    "alertmanager.yml": ("configs.py", "routes.py"),
    "blackbox.yml": ("configs.py", "sources.py", "machines.py"),
    "litestream.yml": ("configs.py",),
    "prometheus.yml": ("configs.py", "sources.py", "machines.py"),
    "telegraf.conf": ("levels.py", "configs.py", "machines.py"),
    "with-replica": ("restore_to.py", "with_replica.py"),
}
"""The tests that read a file, by its name or by the first folder of its path, without `tests/monitoring/test_`."""
RULE_TESTS = {"records.yml": ("quality.yml", "backup.yml", "quiet.yml")}
"""promtool's tests of a file of rules that has no file of its name."""
SKIPPED = ("tests/", "dashboard.json", "install-tools")
"""Tests, what a test compares with the rules, and what only installs programs."""
UNCHANGED = "unchanged"
NUMBER = re.compile(r"(?<![\w.:-])(\d+(?:\.\d+)?)(?=[smhd]?\b)")
EQUIVALENT = (
    re.compile(r"^\s*(#|$|groups:|- name: |rules:|annotations:|summary:|runbook:)"),
    re.compile(r"^      receiver: ticket$"),
    re.compile(r'^\s*(""".*|return None)$'),
)
"""Lines without which nothing changes: comments, the default receiver, and what a function returns without saying so."""


@dataclass(frozen=True)
class Mutant:
    path: Path
    """The file that it changes."""
    what: str
    text: str
    """The changed file."""

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT / "monitoring").as_posix()


def main(wanted: list[str]) -> int:
    import_module("tests.conftest")  # All forks have then imported what takes long.
    unchanged = [
        Mutant(path, UNCHANGED, path.read_text())
        for path in sorted((ROOT / "monitoring").rglob("*"), key=lambda path: (path.parent.name == "rules", path))
        if path.is_file() and not path.relative_to(ROOT / "monitoring").as_posix().startswith(SKIPPED)
    ]
    if unknown := set(wanted) - {each.name for each in unchanged}:
        print(f"No file of monitoring/ that is tested here: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    unchanged = [each for each in unchanged if not wanted or each.name in wanted]
    total = survived = 0
    for each in unchanged:
        if any(caught for _, caught in verdicts([each])):
            print(f"{each.name}: its tests fail without any change", file=sys.stderr)
            return 2
        mutants = [Mutant(each.path, what, text) for what, text in mutations(each.path)]
        survivors = [mutant for mutant, caught in verdicts(mutants) if not caught]
        print(f"{each.name}: {len(mutants) - len(survivors)} of {len(mutants)}", flush=True)
        for mutant in survivors:
            print(f"  SURVIVED {mutant.what}", flush=True)
        total, survived = total + len(mutants), survived + len(survivors)
    print(f"{total - survived} of {total} caught")
    return 1 if survived else 0


def verdicts(mutants: Iterable[Mutant]) -> Iterator[tuple[Mutant, bool]]:
    """Whether each is caught, in the order of the ends. Each is tried in a fork of this process."""
    waiting = iter(mutants)
    running: dict[BaseProcess, Mutant] = {}
    while True:
        for mutant in islice(waiting, PARALLEL - len(running)):
            process: BaseProcess = multiprocessing.get_context("fork").Process(target=_exit, args=(mutant,))
            process.start()
            running[process] = mutant
        if not running:
            return
        multiprocessing.connection.wait([process.sentinel for process in running])
        for process in [each for each in running if not each.is_alive()]:
            yield running.pop(process), process.exitcode == CAUGHT


def _exit(mutant: Mutant) -> None:
    os._exit(CAUGHT if is_caught(mutant) else 0)


def mutations(path: Path) -> Iterator[tuple[str, str]]:
    """What is changed, and the changed text."""
    text = path.read_text()
    if path.parent.name == "rules":
        yield from _rule_mutations(text)
        return
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if any(pattern.match(line) for pattern in EQUIVALENT):
            continue
        yield f"without line {number + 1}: {line.strip()}", "\n".join([*lines[:number], *lines[number + 1 :]]) + "\n"
        for other in {NUMBER.sub(lambda found: f"{float(found[1]) * 3 + 1:g}", line), _swapped(line)} - {line}:
            yield (
                f"line {number + 1}: {other.strip()}",
                "\n".join([*lines[:number], other, *lines[number + 1 :]]) + "\n",
            )


def _rule_mutations(text: str) -> Iterator[tuple[str, str]]:
    document = yaml.safe_load(text)
    for rule in document["groups"][0]["rules"]:
        name, expr = rule.get("alert") or rule["record"], rule["expr"]
        variants = {"never": f"({expr}) and on () (vector(0) > 1)"}
        if name != "Watchdog":
            variants["always"] = "vector(1)"
        for number, found in enumerate(re.finditer(r"(?<=[<>=] )(\d+(?:\.\d+)?)", expr), start=1):
            for changed in _thresholds(expr[: found.start()], float(found[1])):
                what = f"{found[1]}, comparison {number}, becomes {changed:g}"
                variants[what] = f"{expr[: found.start()]}{changed:g}{expr[found.end() :]}"
        for found in re.finditer(r"\n\s+(?:and|unless|or) on \(\) .*(?=\n|$)", expr):
            if expr[: found.start()].count("(") == expr[: found.start()].count(")"):
                variants[f"without {found[0].strip()[:60]}"] = f"{expr[: found.start()]}{expr[found.end() :]}"
        for what, variant in variants.items():
            yield f"{name} {what}", _with(document, name, expr=variant)
        if "for" in rule:
            yield f"{name} without for", _with(document, name, **{"for": "0s"})
            yield (
                f"{name} for 5 times as long",
                _with(document, name, **{"for": f"{5 * int(rule['for'][:-1])}{rule['for'][-1]}"}),
            )
        for label in rule.get("labels", {}):
            labels = {key: value for key, value in rule["labels"].items() if key != label}
            yield f"{name} without {label}", _with(document, name, labels=labels)


def _thresholds(before: str, threshold: float) -> list[float]:
    """Other values for a threshold. More than 0 is counted in whole numbers, so only a number above 1 is another condition."""
    if threshold:
        return [4 * threshold, threshold / 4]
    return [2.0] if before.endswith("> ") else [2.0, 0.125]


def _with(document: dict[str, list[dict[str, list[dict[str, object]]]]], name: str, **values: object) -> str:
    [group] = document["groups"]
    rules = [{**rule, **values} if name in (rule.get("alert"), rule.get("record")) else rule for rule in group["rules"]]
    return yaml.safe_dump({"groups": [{**group, "rules": rules}]}, sort_keys=False)


def _swapped(line: str) -> str:
    """Another boolean, or another name in quotes."""
    if "true" in line or "false" in line:
        return re.sub(r"true|false", lambda found: {"true": "false", "false": "true"}[found[0]], line, count=1)
    return re.sub(r'"([a-zA-Z][\w./${}=~|-]{2,})"', r'"x\1"', line, count=1)


def is_caught(mutant: Mutant) -> bool:
    """Runs in a process of its own, in which the files of the monitor are a copy with the mutant."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as temporary:
        folder = Path(temporary)
        shutil.copytree(ROOT / "monitoring", folder / "monitoring")
        (folder / "infra-docs").symlink_to(ROOT / "infra-docs")
        machines.FILES = folder / "monitoring"
        (machines.FILES / mutant.name).write_text(mutant.text)
        first, _, name = mutant.name.partition("/")
        if any(_fails(test, folder) for test in TESTS[first]):
            return True
        parts = RULE_TESTS.get(name, (name,)) if first == "rules" else ()
        if any(_promtool_fails(folder / "monitoring" / "tests" / part) for part in parts):
            return True
        # Without a change, all files of rules have the same days.
        days = bool(parts) and (mutant.what != UNCHANGED or name == "availability.yml")
        return days and any(_promtool_fails(day) for day in _days(folder))


def _fails(test: str, folder: Path) -> bool:
    os.chdir(ROOT)
    options = ["-q", "-x", f"--basetemp={folder}/pytest", "-p", "no:cacheprovider", "-p", "no:unraisableexception"]
    with Path(os.devnull).open("w") as quiet, contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
        return pytest.main([*options, f"tests/monitoring/test_{test}"]) != 0


def _days(folder: Path) -> Iterator[Path]:
    """The simulated days, the shortest first."""
    from tests.monitoring import days, test_days  # They read the files when they are imported.

    path = folder / "day.yml"
    for day in sorted(days.DAYS, key=lambda day: day.hours):
        path.write_text(test_days.promtool_tests([day]))
        yield path


def _promtool_fails(test: Path) -> bool:
    command = [str(find("promtool")), "test", "rules", str(test)]
    return subprocess.run(command, capture_output=True, check=False).returncode != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
