"""infra-docs/ENVIRONMENT.md says what the program checks, and keeps up with it."""

import pytest

from components.backend import environment
from components.config import SettingText
from documents.environment import PATH, render


def test_document_is_current() -> None:
    assert PATH.read_text(encoding="utf-8") == render(), "infra-docs/ENVIRONMENT.md lags: run `make docs`"


@pytest.mark.parametrize("variable", environment.CONTRACT, ids=lambda variable: variable.name)
def test_one_row_per_variable(variable: environment.Variable) -> None:
    rows = [line for line in render().splitlines() if line.startswith(f"| `{variable.name}` |")]

    assert len(rows) == 1
    assert rows[0].endswith(f"| {variable.purpose} |")


@pytest.mark.parametrize(
    ("env", "problem"),
    [
        ({"DATABASE_PATH": "/data/db"}, environment.ENV_OTHER_DATABASE),
        ({"DATABASE_URL": "x"}, environment.ENV_SECRET),
        ({"PORT": ""}, environment.ENV_MISSING),
    ],
)
def test_refused_env(env: dict[str, str], problem: SettingText) -> None:
    (name,) = env
    complete = {"NODE_ENV": "production", "PORT": "8080", **env}

    (found,) = environment.env_problems(complete, "postgres", lambda name: f"fly.toml: {name}")

    values = {variable.name: variable for variable in environment.CONTRACT}[name]
    assert found == problem(
        place=f"fly.toml: {name}", name=name, purpose=values.purpose, only_with="sqlite", database="postgres"
    )


@pytest.mark.parametrize(
    ("secrets", "problem"),
    [
        ({"BUCKET_NAME": "b"}, "is only for sqlite, but solos:database.kind is postgres"),
        ({"SESSION_SECRET": ""}, "is empty"),
        ({"PORT": "8080"}, "is not a secret of the server"),
    ],
)
def test_refused_secrets(secrets: dict[str, str], problem: str) -> None:
    (found,) = environment.secret_problems(secrets, "postgres")

    assert found.key == f"solos:secrets.{next(iter(secrets))}"
    assert found.message == problem
