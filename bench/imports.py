"""The imports of the program, and of the provider process for all resources, compared to `import pulumi`.

Each is measured as a process of its own; every run of the engine starts two.
"""

import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

import providers
from bench.options import Options
from bench.paired import paired

PROGRAM = Path("__main__.py")


def run(options: Options) -> None:
    for name, statements in (("__main__", of_the_program()), ("provider process", of_the_provider_process())):
        measured = paired(lambda: load(statements), lambda: load("import pulumi"), 2 * options.rounds)  # noqa: B023 (called in this iteration)
        print(f"  {name:<18}{measured}", flush=True)


def of_the_program() -> str:
    """The import statements of `__main__.py`."""
    body = ast.parse(PROGRAM.read_text(encoding="utf-8")).body
    return "\n".join(ast.unparse(statement) for statement in body if isinstance(statement, ast.Import | ast.ImportFrom))


def of_the_provider_process() -> str:
    """The server of the SDK, and every provider module."""
    ours = [module.name for module in pkgutil.walk_packages(providers.__path__, "providers.") if not module.ispkg]
    return f"import dill, grpc, pulumi.dynamic, {', '.join(ours)}"


def load(statements: str) -> None:
    subprocess.run([sys.executable, "-c", statements], check=True)
