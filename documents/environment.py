"""infra-docs/ENVIRONMENT.md, made from the contract."""

from pathlib import Path

from components.backend.environment import CONTRACT, Source, Variable

PATH = Path(__file__).resolve().parents[1] / "infra-docs" / "ENVIRONMENT.md"

ORIGINS: dict[Source, str] = {
    "fly.toml": "`[env]` of fly.toml",
    "generated": "generated once, kept encrypted in the stack's state",
    "given": "`solos:secrets`, encrypted in the stack's config",
    "database": "read off the Managed Postgres cluster, kept encrypted in the stack's state",
    "Fly": "set by Fly in every machine",
}
"""Where a value comes from, as the document says it."""

BEFORE = """\
# The environment of solserver

Every variable and secret that the server finds in its environment: the contract between the server and who runs it.
This file is made from `components/backend/environment.py`, which the program checks at preview: `make docs` writes it anew, and a
test fails when it lags.
"""

AFTER = """\
Fly adds a few more of its own, which are no part of this contract. No value of a secret stands in this repository, in a
preview, in a log or in the launch report; `fly secrets list` shows names and digests.

## Give a value

| The value is | Do |
| --- | --- |
| in fly.toml | edit `[env]`, then `pulumi up`: the machine is updated, with the old version put back if the new one is not healthy |
| given | `pulumi config set --secret --path 'solos:secrets.NAME'`, then `pulumi up`: all secrets change in one batch and the machine is rolled to them |
| generated | nothing: the first `pulumi up` makes it. To go on with a value that there is already, give it as above |
| of the database | nothing: `pulumi up` reads it when the cluster is ready |

## Change a value that may be known to somebody

| The value is | Do |
| --- | --- |
| given | make a new one where it comes from, set it as above, `pulumi up`, and only then revoke the old one |
| generated | `pulumi up --replace URN` with the URN of its `RandomPassword`, as `pulumi stack --show-urns` prints it |
| of the database | rotate the user's password in the cluster's dashboard, then `pulumi refresh` and `pulumi up` |

## Add a variable

Add it to `CONTRACT` in `components/backend/environment.py` with its source and purpose, run `make docs`, and commit both. A required
variable that has no value is refused at preview, and so is a secret in fly.toml or a given one that the contract does not name.
"""


def render() -> str:
    """The whole document."""
    rows = "\n".join(_row(variable) for variable in CONTRACT)
    head = "| Name | Required | Secret | Comes from | What for |\n| --- | --- | --- | --- | --- |"
    return f"{BEFORE}\n{head}\n{rows}\n\n{AFTER}"


def _row(variable: Variable) -> str:
    need = "yes" if variable.required else "no"
    if variable.only_with:
        need = f"{need}; only with {'SQLite' if variable.only_with == 'sqlite' else 'Postgres'}"
    secret = "yes" if variable.is_secret else "no"
    return f"| `{variable.name}` | {need} | {secret} | {ORIGINS[variable.source]} | {variable.purpose} |"
