"""A preview and an `up` without changes of the whole launch, compared to the same number of empty dynamic resources.

Neither makes a call, so this measures the cost of the program, its imports and the provider base class.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from bench.launched import engines, new_launch
from bench.options import Options
from bench.paired import paired
from rehearsal.endpoints import NOWHERE

EMPTY = Path(__file__).with_name("empty")
OPERATIONS = ("preview", "up")


def run(options: Options) -> None:
    for engine in engines():
        with new_launch(engine) as launch:
            launch.first_up()
            launch.install()
            count = len(
                [resource for resource in launch.stack.resources() if resource["custom"] and "provider" in resource]
            )
            with _empty(engine, count) as run_empty:
                for operation in OPERATIONS:
                    measured = paired(
                        lambda: launch.run(operation, "--expect-no-changes"),  # noqa: B023 (called in this iteration)
                        lambda: run_empty(operation, "--expect-no-changes"),  # noqa: B023 (called in this iteration)
                        options.rounds,
                    )
                    print(f"  {engine}, {count} resources, {operation:<8}{measured}", flush=True)


@contextmanager
def _empty(engine: str, count: int) -> Iterator[Callable[..., None]]:
    """Yields a function that runs operations on a deployed stack of `count` empty dynamic resources."""
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        (folder / "state").mkdir()
        shutil.copytree(EMPTY, folder / "project", ignore=shutil.ignore_patterns("__pycache__"))
        project = yaml.safe_load((EMPTY / "Pulumi.yaml").read_text(encoding="utf-8"))
        project["runtime"]["options"]["virtualenv"] = sys.prefix
        (folder / "project" / "Pulumi.yaml").write_text(yaml.safe_dump(project), encoding="utf-8")
        environment = {
            **os.environ,
            "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_CONFIG_PASSPHRASE": "empty",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }

        def run(operation: str, *options: str) -> None:
            start = [sys.executable, "-m", "rehearsal.engine"]
            if engine == "pulumi":
                start, options = ["pulumi"], ("--non-interactive", *options)
            confirmed = ["--yes"] if operation == "up" else []
            where = ["--stack", "empty", "--cwd", str(folder / "project")]
            done = subprocess.run(
                [*start, operation, *confirmed, *options, *where], env=environment, capture_output=True, check=False
            )
            if done.returncode:
                raise SystemExit(f"{operation} failed:\n{done.stdout.decode()}{done.stderr.decode()}")

        if engine == "pulumi":
            run("stack", "init")
        config = folder / "project" / "Pulumi.empty.yaml"
        salt = yaml.safe_load(config.read_text(encoding="utf-8")) if config.exists() else {}
        values = {"empty:count": str(count), "empty:endpoints": NOWHERE}
        config.write_text(yaml.safe_dump({**salt, "config": values}), encoding="utf-8")
        run("up")
        yield run
