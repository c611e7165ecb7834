"""What the program loads before its first line, and the provider process to serve all of its resources, against `import pulumi`.

Each is a process that loads and ends, as every run of the engine starts two.
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
        measured = paired(lambda: load(statements), lambda: load("import pulumi"), 2 * options.rounds)  # noqa: B023
        print(f"  {name:<18}{measured}", flush=True)


def of_the_program() -> str:
    """The imports of `__main__.py`, as they stand there."""
    body = ast.parse(PROGRAM.read_text(encoding="utf-8")).body
    return "\n".join(ast.unparse(each) for each in body if isinstance(each, ast.Import | ast.ImportFrom))


def of_the_provider_process() -> str:
    """The SDK's server, and every module of ours that a resource of some stack may need."""
    ours = [each.name for each in pkgutil.walk_packages(providers.__path__, "providers.") if not each.ispkg]
    return f"import dill, grpc, pulumi.dynamic, {', '.join(ours)}"


def load(statements: str) -> None:
    subprocess.run([sys.executable, "-c", statements], check=True)
