"""infra-docs/ENVIRONMENT.md, generated from the environment contract."""

from pathlib import Path

from components.backend.environment import Contract, Database, Source, Variable, read_contract

FOLDER = Path(__file__).resolve().parents[1] / "infra-docs"
PATH = FOLDER / "ENVIRONMENT.md"
SOURCE = FOLDER / "environment.toml"

ORIGINS: dict[Source, str] = {
    "fly.toml": "`[env]` of fly.toml",
    "generated": "generated once, and kept encrypted in the stack's state",
    "given": "`secrets`, encrypted in the stack's configuration",
    "database": "read from the Managed Postgres cluster, and kept encrypted in the stack's state; for an external database, "
    "`secrets`",
    "Fly": "set by Fly on every machine",
}

BEFORE = """\
# The environment of the server

Every variable and secret in the server's environment. It is the contract between the server and its operator.
This file is made from `infra-docs/environment.toml`, which the program checks at preview. `make docs` writes it, and a test fails
when it is out of date. Another server has another file: `environment`.
"""

AFTER = """\
Fly sets a few more variables, which are not part of this contract. Values of secrets are not in this repository, in previews, in logs
or in the launch report; `fly secrets list` shows names and digests.

## Log lines

Write one line per event to standard output. The monitor counts lines by level, and alerts on errors (AppErrorBurst). Fly's own level
is `info` for almost every line, so it looks into the line:

| Line | Its level |
| --- | --- |
| JSON with `level`, `severity`, `lvl`, `levelname` or `log.level` | a name (`error`, `warning`, `critical`, …), or a number of pino and bunyan: 30 info, 40 warn, 50 error, 60 fatal |
| logfmt: `level=error msg=…` | the same names |
| a name in front of plain text: `ERROR …`, `[error] …`, `2026-11-27 09:00 WARN …`, `error: …` (winston) | that name |
| an exception: `TypeError: …`, `Uncaught …`, `UnhandledPromiseRejection …`, `Traceback …` | error |
| a line that begins with a space or a tab, as in a stack trace | that of the line before; it is not counted as another error |
| anything else | info |

## Set a value

| Source | Do |
| --- | --- |
| fly.toml | edit `[env]`, then `pulumi up`: it updates the machine, and rolls back if the new version is not healthy |
| `secrets` | `pulumi config set --secret --path 'secrets.NAME'`, then `pulumi up`: all changed secrets are set in one batch, and the machine is updated once |
| generated | nothing: the first `pulumi up` generates it. To keep an existing value, set it in `secrets` |
| the cluster | nothing: `pulumi up` reads it when the cluster is ready |

## Rotate a secret that may have leaked

| Source | Do |
| --- | --- |
| `secrets` | create a new value at its service, set it as above, `pulumi up`, and only then revoke the old one |
| generated | `pulumi up --replace URN` with the URN of its `RandomPassword`, which `pulumi stack --show-urns` prints |
| the cluster | rotate the user's password in the cluster's dashboard, then `pulumi refresh` and `pulumi up` |

## Add a variable

Add one line to `infra-docs/environment.toml`, run `make docs`, and commit both. The preview refuses a required variable
without a value, a secret in fly.toml, and a name in `secrets` that is not in the file.
"""


KINDS: dict[Database, str] = {
    "sqlite": "SQLite",
    "postgres": "Managed Postgres",
    "external": "an external Postgres",
    "none": "no database",
}


def contract() -> Contract:
    """The contract of this repository. Raises ValueError when it has problems."""
    found, problems = read_contract(SOURCE, SOURCE.name)
    if problems:
        raise ValueError(str(problems))
    return found


def render() -> str:
    """The whole document."""
    rows = "\n".join(_row(variable) for variable in contract().variables)
    head = "| Name | Required | Secret | Source | Purpose |\n| --- | --- | --- | --- | --- |"
    return f"{BEFORE}\n{head}\n{rows}\n\n{AFTER}"


def _row(variable: Variable) -> str:
    need = "yes" if variable.required else "no"
    if variable.needed_with:
        need = f"with `{variable.needed_with}`"
    if variable.kinds:
        need = f"{need}; only with {' and '.join(KINDS[kind] for kind in variable.kinds)}"
    without = f"; `{variable.default}` without it" if variable.default else ""
    secret = "yes" if variable.is_secret else "no"
    return f"| `{variable.name}` | {need} | {secret} | {ORIGINS[variable.source]} | {variable.purpose}{without} |"
