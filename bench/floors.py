"""Stacks of empty resources: what a preview costs with no code of ours.

    F1   as many dynamic resources as the launch has, and nothing else
    F2   the graph of the launch: its components, dependencies and resources, each of them empty; it needs the packages of the
         plugins, too

Both run in the project `bench/empty`, whose program sets the same global things as ours: the collector and the handlers of signals.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from rehearsal.endpoints import NOWHERE

EMPTY = Path(__file__).with_name("empty")


@contextmanager
def floor(
    engine: str, count: int, graph: Sequence[dict[str, Any]] = (), *, deployed: bool = True
) -> Iterator[Callable[..., None]]:
    """Yields a function that runs operations on a stack of `count` empty resources, or of the `graph` of a launch: the resources in
    the state of its stack."""
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
            "PULUMI_HOME": os.environ.get(
                "PULUMI_HOME", str(folder / "home")
            ),  # with the plugins, where there is no network
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
        if graph:
            (folder / "project" / "graph.json").write_text(json.dumps(nodes(graph)), encoding="utf-8")
        config = folder / "project" / "Pulumi.empty.yaml"
        salt = yaml.safe_load(config.read_text(encoding="utf-8")) if config.exists() else {}
        values = {"empty:count": str(count), "empty:endpoints": NOWHERE}
        config.write_text(yaml.safe_dump({**salt, "config": values}), encoding="utf-8")
        if deployed:
            run("up")
        yield run


def nodes(launch: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The nodes of the launch's graph, each with its URN, type, name, and the URNs of its parent and of its dependencies."""
    resources = [
        resource
        for resource in launch
        if not resource["type"].startswith("pulumi:")  # the stack and the providers are made by the engine
    ]
    urns = {resource["urn"] for resource in resources}
    return [
        {
            "urn": node["urn"],
            "type": "dynamic" if is_dynamic(node) else node["type"] if node["custom"] else "component",
            "name": node["urn"].rpartition("::")[2],
            "parent": node.get("parent") if node.get("parent") in urns else None,
            "dependencies": [urn for urn in node.get("dependencies") or () if urn in urns],
        }
        for node in resources
    ]


def is_dynamic(resource: dict[str, Any]) -> bool:
    return bool(resource["type"].startswith("pulumi-python:"))
