"""The imports of the program, and of the provider process for all resources, compared to `import pulumi`, in CPU time.

Each is measured as a process of its own; every run of the engine starts two. The collector is off in all of them, so what the
program gains by turning it off is not counted here.
"""

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench.options import Options
from bench.paired import Paired, alternated

PROGRAM = Path("__main__.py")
PROVIDERS = Path("providers")
SDK = "import pulumi"
PLUGINS = "import pulumi, pulumi_command, pulumi_random"


def run(options: Options) -> None:
    parts = {
        "__main__": of_the_program(),
        "provider process": of_the_provider_process(),
        "plugin packages": PLUGINS,
    }
    sdk, *measured = alternated([_loaded(SDK), *map(_loaded, parts.values())], 2 * options.rounds)
    for name, spent in zip(parts, measured, strict=True):
        print(f"  {name:<18}{Paired([each.cpu for each in spent], [each.cpu for each in sdk])} of `{SDK}`", flush=True)


def of_the_program() -> str:
    """The import statements of `__main__.py`."""
    body = ast.parse(PROGRAM.read_text(encoding="utf-8")).body
    return "\n".join(ast.unparse(statement) for statement in body if isinstance(statement, ast.Import | ast.ImportFrom))


def of_the_provider_process() -> str:
    """The server of the SDK, and the modules of all resources."""
    modules = [
        path.with_suffix("") for path in PROVIDERS.rglob("*.py") if "(Resource[" in path.read_text(encoding="utf-8")
    ]
    return f"import dill, grpc, pulumi.dynamic, {', '.join('.'.join(module.parts) for module in sorted(modules))}"


def load(statements: str) -> None:
    subprocess.run([sys.executable, "-c", f"import gc; gc.disable()\n{statements}"], check=True)


def _loaded(statements: str) -> Callable[[], None]:
    return lambda: load(statements)
