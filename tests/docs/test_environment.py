"""infra-docs/ENVIRONMENT.md says what the program checks, and keeps up with it."""

from pathlib import Path

import pytest

from components.backend import environment
from components.config import SettingText
from documents.environment import PATH, contract, render

CONTRACT = contract()


def test_document_is_current() -> None:
    assert PATH.read_text(encoding="utf-8") == render(), "infra-docs/ENVIRONMENT.md lags: run `make docs`"


@pytest.mark.parametrize("variable", CONTRACT.variables, ids=lambda variable: variable.name)
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

    (found,) = CONTRACT.env_problems(complete, "postgres", lambda name: f"fly.toml: {name}")

    values = {variable.name: variable for variable in CONTRACT.variables}[name]
    assert found == problem(
        place=f"fly.toml: {name}", name=name, purpose=values.purpose, only_with="sqlite", database="postgres"
    )


@pytest.mark.parametrize(
    ("secrets", "problem"),
    [
        ({"BUCKET_NAME": "b"}, "is only for sqlite, but `database.kind` is postgres"),
        ({"SESSION_SECRET": ""}, "is empty"),
        ({"PORT": "8080"}, "comes from fly.toml, as environment.toml says"),
        ({"DATABASE_URL": "postgres://"}, "comes from the cluster, as environment.toml says"),
        ({"STRIPE_API_KEY": "sk"}, "is not in the environment of the server"),
    ],
)
def test_refused_secrets(secrets: dict[str, str], problem: str) -> None:
    (found,) = CONTRACT.secret_problems(secrets, "postgres")

    assert found.key == f"secrets.{next(iter(secrets))}"
    assert found.message == problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            'A = { source = "vault", purpose = "x" }',
            "environment.toml:1: [A] source must be one of fly.toml, generated",
        ),
        ('\nA = { source = "given" }', "environment.toml:2: A purpose is missing"),
        (
            'A = { source = "given", purpose = "x", only_with = ["mysql"] }',
            "must be a list of sqlite, postgres, external, none",
        ),
        ('A = { source = "given", purpose = "x", requird = true }', "requird is unknown; did you mean required?"),
        ('A = "x"', "A must be a table"),
        ("A = {", "is not valid TOML"),
    ],
)
def test_refused_contract(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "environment.toml").write_text(text)

    _, (found, *_) = environment.read_contract(tmp_path / "environment.toml", "environment.toml")

    assert problem in str(found)


def test_contract_of_another_server(tmp_path: Path) -> None:
    """A Go server with an external database, and two secrets of its own."""
    (tmp_path / "environment.toml").write_text(
        'DATABASE_URL = { source = "database", purpose = "rows" }\n'
        'STRIPE_API_KEY = { source = "given", purpose = "cards" }\n'
        'STRIPE_HOOK = { source = "given", purpose = "events", with = "STRIPE_API_KEY" }\n'
    )
    contract, problems = environment.read_contract(tmp_path / "environment.toml", "environment.toml")

    assert problems == []
    assert contract.generated() == []
    assert list(contract.env_problems({"GOMAXPROCS": "2"}, "external", str)) == []
    assert [each.key for each in contract.secret_problems({}, "external")] == [
        "secrets.DATABASE_URL",
        "secrets.STRIPE_API_KEY",
    ]
    (missing,) = contract.secret_problems({"DATABASE_URL": "x", "STRIPE_API_KEY": "x"}, "external")
    assert str(missing).startswith("secrets.STRIPE_HOOK: is missing, and STRIPE_API_KEY is set: events")
    assert list(contract.secret_problems({"STRIPE_API_KEY": "x", "STRIPE_HOOK": "x"}, "none")) == []


def test_missing_contract_is_a_problem(tmp_path: Path) -> None:
    _, (found,) = environment.read_contract(tmp_path / "none.toml", "none.toml")

    assert str(found) == "environment: none.toml cannot be read (No such file or directory)"
