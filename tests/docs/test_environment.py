"""infra-docs/ENVIRONMENT.md says what the program checks, and keeps up with it."""

import pytest

from components.backend import environment
from documents.environment import PATH, render


def test_the_document_is_what_the_contract_says() -> None:
    assert PATH.read_text(encoding="utf-8") == render(), "infra-docs/ENVIRONMENT.md lags: run `make docs`"


@pytest.mark.parametrize("variable", environment.CONTRACT, ids=lambda variable: variable.name)
def test_every_variable_has_one_row(variable: environment.Variable) -> None:
    rows = [line for line in render().splitlines() if line.startswith(f"| `{variable.name}` |")]

    assert len(rows) == 1
    assert rows[0].endswith(f"| {variable.purpose} |")


@pytest.mark.parametrize(
    ("env", "given", "told"),
    [
        ({"DATABASE_PATH": "/data/db"}, {}, "DATABASE_PATH is for sqlite, and solos:database is postgres: take it out"),
        ({}, {"BUCKET_NAME": "b"}, "BUCKET_NAME is for sqlite, and solos:database is postgres: leave it out"),
        ({"DATABASE_URL": "x"}, {}, "DATABASE_URL is a secret, and this file is in version control: take it out"),
    ],
)
def test_what_belongs_to_the_other_database_is_refused(env: dict[str, str], given: dict[str, str], told: str) -> None:
    complete = {"NODE_ENV": "production", "PORT": "8080", **env}

    problems = [f"{name} {problem}" for _, name, problem in environment.problems(complete, given, "postgres")]

    assert problems == [told]
