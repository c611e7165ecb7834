"""Changes every file of monitoring/ in small ways, and counts how many of the changes a test notices: `make monitoring-mutants`.

    python -m tests.monitoring.mutants [FILE …]     for example rules/backup.yml; without it, all files

A rule is made to fire never and always, its times and thresholds change by a factor, labels are removed. Of every other file, each
line is deleted, and numbers and names in it are changed. A mutant is caught if promtool's tests, the simulated days, or the tests of
the configuration fail. It takes minutes, so `make test` has only its core: each test that catches something here runs there too,
except for the longer days.
"""

import contextlib
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from components.monitoring import machines
from tests.needs import find

ROOT = Path(__file__).resolve().parents[2]
PARALLEL, CAUGHT = 2, 17
FOLDER = "tests/monitoring"
STATIC = [f"{FOLDER}/test_{name}.py" for name in ("configs", "sources", "routes", "machines", "levels")]
RULES = [f"{FOLDER}/test_rules.py::test_thresholds", f"{FOLDER}/test_sources.py"]
TESTS = {"with-replica": [f"{FOLDER}/test_restore_to.py"], "telegraf.conf": [f"{FOLDER}/test_levels.py", *STATIC]}
SKIPPED = ("tests/", "dashboard.json", "install-tools")
"""Tests, what a test compares with the rules, and what only installs programs."""
NUMBER = re.compile(r"(?<![\w.:-])(\d+(?:\.\d+)?)(?=[smhd]?\b)")
EQUIVALENT = (
    re.compile(r"^\s*(#|$|groups:|- name: |rules:|annotations:|summary:|runbook:)"),
    re.compile(r"^      receiver: ticket$"),
    re.compile(r'^\s*(""".*|return None)$'),
)
"""Lines without which nothing changes: comments, the default receiver, and what a function returns without saying so."""


def main(wanted: list[str]) -> int:
    files = [
        path
        for path in sorted((ROOT / "monitoring").rglob("*"))
        if path.is_file() and not _name(path).startswith(SKIPPED) and (not wanted or _name(path) in wanted)
    ]
    mutants = [(path, what, text) for path in files for what, text in mutations(path)]
    unchanged = [(path, "", path.read_text()) for path in files]
    if failing := [_name(path) for path, caught in zip(files, verdicts(unchanged), strict=True) if caught]:
        print(f"The tests fail without any change: {', '.join(failing)}", file=sys.stderr)
        return 2
    survived = 0
    for (path, what, _), caught in zip(mutants, verdicts(mutants), strict=True):
        if not caught:
            survived += 1
            print(f"SURVIVED {_name(path)}: {what}", flush=True)
    print(f"{len(mutants) - survived} of {len(mutants)} caught")
    return 1 if survived else 0


def verdicts(mutants: list[tuple[Path, str, str]]) -> Iterator[bool]:
    """Whether each is caught, in order. Each is tried in a fork of this process, which has imported what takes long."""
    for start in range(0, len(mutants), PARALLEL):
        processes = [
            multiprocessing.get_context("fork").Process(target=_exit, args=(mutant,))
            for mutant in mutants[start : start + PARALLEL]
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
            yield process.exitcode == CAUGHT


def _exit(mutant: tuple[Path, str, str]) -> None:
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
        for found in re.finditer(r"(?<=[<>=] )(\d+(?:\.\d+)?)", expr):
            for factor in (4, 0.25):
                changed = float(found[1]) * factor or 0.5 * factor
                variants[f"{found[1]} becomes {changed:g}"] = f"{expr[: found.start()]}{changed:g}{expr[found.end() :]}"
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


def _with(document: dict[str, list[dict[str, list[dict[str, object]]]]], name: str, **values: object) -> str:
    [group] = document["groups"]
    rules = [{**rule, **values} if name in (rule.get("alert"), rule.get("record")) else rule for rule in group["rules"]]
    return yaml.safe_dump({"groups": [{**group, "rules": rules}]}, sort_keys=False)


def _swapped(line: str) -> str:
    """Another boolean, or another name in quotes."""
    if "true" in line or "false" in line:
        return re.sub(r"true|false", lambda found: {"true": "false", "false": "true"}[found[0]], line, count=1)
    return re.sub(r'"([a-zA-Z][\w./${}=~|-]{2,})"', r'"x\1"', line, count=1)


def is_caught(mutant: tuple[Path, str, str]) -> bool:
    """Runs in a process of its own, in which the files of the monitor are a copy with the mutant."""
    path, _, text = mutant
    with tempfile.TemporaryDirectory(prefix="mutant-") as temporary:
        folder = Path(temporary)
        shutil.copytree(ROOT / "monitoring", folder / "monitoring")
        (folder / "infra-docs").symlink_to(ROOT / "infra-docs")
        machines.FILES = folder / "monitoring"
        (machines.FILES / path.relative_to(ROOT / "monitoring")).write_text(text)
        if path.parent.name == "rules" and _fails(RULES):
            return True
        if path.parent.name == "rules" and any(_promtool_fails(test) for test in _rule_tests(path.name, folder)):
            return True
        return _fails(TESTS.get(path.name, STATIC))


def _fails(tests: list[str]) -> bool:
    os.chdir(ROOT)
    with Path(os.devnull).open("w") as quiet, contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
        return pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-p", "no:unraisableexception", *tests]) != 0


def _rule_tests(name: str, folder: Path) -> Iterator[Path]:
    """The unit tests of the rule file, and then, as they take longer, the simulated days."""
    from tests.monitoring import days, test_days  # They read the files when they are imported.

    for part in ("quality.yml", "backup.yml", "quiet.yml") if name == "records.yml" else (name,):
        yield folder / "monitoring" / "tests" / part
    path = folder / "days.yml"
    path.write_text(test_days.promtool_tests(list(days.DAYS)))
    yield path


def _promtool_fails(test: Path) -> bool:
    command = [str(find("promtool")), "test", "rules", str(test)]
    return subprocess.run(command, capture_output=True, check=False).returncode != 0


def _name(path: Path) -> str:
    return path.relative_to(ROOT / "monitoring").as_posix()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
