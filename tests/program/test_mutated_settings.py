"""Mutated settings (`tests/program/mutation.py`): a wrong value ends in a line with its key, never in a traceback."""

import functools
import json
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.backend import image_build
from components.backend import settings as backend_settings
from components.launch import smoke_test
from components.settings import BadSettings, Settings, read
from harness.program import create_project
from project.config import read_without_secrets
from project.files import BadProject
from providers.fly import appconfig
from tests.program.full_settings import ENCRYPTED, SECRET, full_settings
from tests.program.mutation import mutated, mutated_text

VALUES, TEXTS, PARTS = 9_800, 200, 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create_project(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def files_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of the project do not change, and to read them takes longer than to read the settings."""
    for module, name, file in (
        (appconfig, "load", folder / "fly.toml"),
        (smoke_test, "read_plan", folder / "infra-docs/smoke-test.toml"),
        (backend_settings, "read_contract", folder / "infra-docs/environment.toml"),
        (image_build, "source_of", folder / "monitoring/receivers"),
    ):
        monkeypatch.setattr(module, name, _remembering(getattr(module, name), file))


def _remembering(read_file: Callable[..., Any], file: Path) -> Callable[..., Any]:
    @functools.cache
    def found(*name: str) -> Any:
        return read_file(file, *name)

    return lambda path, *name: found(*name) if path == file else read_file(path, *name)


def settings_of(values: Mapping[str, Any], folder: Path) -> Settings:
    """The settings, with the values as the engine passes them."""
    passed = {f"solos:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    return read(passed, [f"solos:{key}" for key in ENCRYPTED], folder, "solos")


def faults(values: Mapping[str, Any], base: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """What is wrong with the way in which these values are refused."""
    try:
        settings_of(values, folder)
    except BadSettings as refused:
        if SECRET in str(refused):
            yield f"shows a secret: {refused}"
        for problem in refused.problems:
            if problem.declared_key not in {*values, *base, "fly"}:
                yield f"names no key: {problem}"
            if len(str(problem).splitlines()) != 1:
                yield f"is not one line: {str(problem)!r}"
    except Exception as error:  # noqa: BLE001 (the test reports all failures together)
        yield f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("part", range(PARTS))  # for as many processes
def test_mutated_values(part: int, folder: Path, files_read_once: None, counted: Callable[[str, int], None]) -> None:
    base = full_settings()
    settings_of(base, folder)
    failures: list[str] = []
    for number in range(part, VALUES, PARTS):
        values = mutated(base, random.Random(number), kept=ENCRYPTED)  # noqa: S311 (not cryptography)
        failures += [f"{number}: {fault}" for fault in faults(values, base, folder)]

    counted("mutated settings: nothing lost, no traceback", VALUES // PARTS)
    assert failures == []


def test_mutated_stack_files(folder: Path, counted: Callable[[str, int], None]) -> None:
    """The text of the file: what is not YAML, or is no stack file."""
    base = yaml.safe_dump({"config": {f"solos:{key}": value for key, value in full_settings().items()}})
    failures: list[str] = []
    for number in range(TEXTS):
        text = mutated_text(base, random.Random(number))  # noqa: S311 (not cryptography)
        (folder / "Pulumi.test.yaml").write_text(text, encoding="utf-8")
        try:
            stack = read_without_secrets(folder, "test")
            read(stack.config, [f"solos:{key}" for key in ENCRYPTED], folder, "solos", folder / "Pulumi.test.yaml")
        except (BadProject, BadSettings):
            pass
        except Exception as error:  # noqa: BLE001 (the test reports all failures together)
            failures.append(f"{number}: {type(error).__name__}: {error}")

    counted("mutated settings: nothing lost, no traceback", TEXTS)
    assert failures == []
