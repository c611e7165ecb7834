"""What the Makefile gives to the programs that it starts."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


OUTSIDE = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
"""The environment without the `make` that has started the tests, which changes what another one prints."""


def exported(folder: Path, **variables: str) -> dict[str, str]:
    """The environment of a recipe, for somebody who has set these variables."""
    (folder / "Makefile").write_text(f"include {ROOT / 'Makefile'}\nshow: ; @env\n")
    clean = {name: value for name, value in OUTSIDE.items() if name.lower() != "no_proxy"}
    shown = subprocess.run(
        ["make", "-s", "-f", folder / "Makefile", "show"],
        cwd=ROOT,
        env={**clean, **variables},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return dict(line.partition("=")[::2] for line in shown.stdout.splitlines())


def test_doubles_are_behind_no_proxy(tmp_path: Path) -> None:
    """Without this, a rehearsal in a network with a proxy asks it for 127.0.0.1."""
    found = exported(tmp_path, NO_PROXY="corp.example")

    assert found["no_proxy"] == found["NO_PROXY"] == "127.0.0.1,localhost,corp.example"


def test_files_are_utf_8(tmp_path: Path) -> None:
    assert exported(tmp_path, LC_ALL="C", PYTHONUTF8="0")["PYTHONUTF8"] == "1"


def test_python_of_the_project(tmp_path: Path) -> None:
    foreign = dict.fromkeys(("PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH", "PYTHONIOENCODING"), "ascii")

    assert not foreign.keys() & exported(tmp_path, **foreign).keys()


MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
OPTIONS = re.findall(r"\(call (?:given|option|flag),([A-Z]+)", MAKEFILE)
NEEDED = {"sign-off": ("FEATURE", "install"), "compare": ("VENDOR", "fly"), "report": ("STACK", "test")}
"""What a target does not run without."""


def recipe(target: str, *words: str, **variables: str) -> str:
    """What a target would run, or the error."""
    done = subprocess.run(
        ["make", "-n", "-o", "setup", target, *words],
        cwd=ROOT,
        env={**OUTSIDE, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def targets() -> list[str]:
    """Those that start a program of this project."""
    return re.findall(r"(?m)^([a-z-]+): setup ##", MAKEFILE)


@pytest.mark.parametrize("target", [*targets(), "foreign-clients"])
def test_exported_variables_do_not_count(target: str) -> None:
    """Shells export APP, NAME or PORT for something else, and YES skips a question."""
    words = [f"{name}={value}" for name, value in [NEEDED[target]]] if target in NEEDED else []
    others = {"PYTHON", *OPTIONS} - {NEEDED.get(target, ("",))[0]}

    assert recipe(target, *words, **dict.fromkeys(others, "3000")) == recipe(target, *words)


@pytest.mark.parametrize("target", NEEDED)
def test_needed_variable_on_command_line(target: str) -> None:
    name, value = NEEDED[target]

    assert "***" in recipe(target, **{name: value})


@pytest.mark.parametrize(
    ("target", "option"),
    [
        *(("rehearse", option) for option in ("ENGINE", "PORT")),
        *(("drill", option) for option in ("ENGINE", "NAME")),
        *(("sign-off", option) for option in ("STACK", "NAME", "FAILED", "FEATURE")),
        *(("compare", option) for option in ("ORG", "APP", "EMAIL", "WITH", "DOUBLE", "KEEP", "CLEAN", "YES")),
        *(("compare", option) for option in ("CALLS", "MINUTES", "VENDOR")),
        *((target, "STACK") for target in ("preflight", "next-build", "status", "signing-files", "report")),
        ("bench", "NAME"),
        ("monitoring-mutants", "FILES"),
        ("foreign-clients", "PYTHON"),
    ],
)
def test_options_of_targets(target: str, option: str) -> None:
    words = [f"{name}={value}" for name, value in [NEEDED[target]]] if target in NEEDED else []

    assert recipe(target, *words, f"{option}=3000") != recipe(target, *words)


def test_variables_are_read_in_one_way() -> None:
    """With `given` and what is made of it: nothing else in the Makefile reads a variable of a person."""
    assert not set(re.findall(r"\$\(([A-Z_]+)\)", MAKEFILE)) & set(OPTIONS)


def test_scripts_are_not_started_by_path() -> None:
    """The first line of a script in .venv names its interpreter, and a quote or a $ in the path of the clone breaks it."""
    started = re.findall(r"(?<!python )\$\(BIN\)/([\w-]+)", (ROOT / "Makefile").read_text())

    assert {*started} == {"python", "ruff"}


def test_quotes_of_a_tester(tmp_path: Path) -> None:
    """Testers write "doesn't": the shell of the recipe must not read the quotes."""
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    program.chmod(0o755)
    reason = """it doesn't "open"; I'm stuck"""
    words = [f"BIN={tmp_path}", f"FAILED={reason}", "NAME=o'neil@sollabs.example", "FEATURE=install sign-up"]

    done = subprocess.run(
        ["make", "-s", "-o", "setup", "sign-off", *words],
        cwd=ROOT,
        env=OUTSIDE,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )

    given = done.stdout.splitlines()
    assert given[-6:] == ["--as", "o'neil@sollabs.example", "--failed", reason, "install", "sign-up"]
