"""Stacks of empty resources: what a preview costs with no code of ours.

    F1, "count"   as many dynamic resources as the launch has, and nothing else
    F2, "graph"   the graph of the launch: its components, dependencies and resources, each of them empty; it needs the packages
                  of the plugins, too

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
from typing import Any, Literal

import yaml

from rehearsal.endpoints import NOWHERE

EMPTY = Path(__file__).with_name("empty")

Floor = Literal["count", "graph"]


@contextmanager
def floor(engine: str, kind: Floor, launch: Sequence[dict[str, Any]]) -> Iterator[Callable[..., None]]:
    """Yields a function that runs operations on a deployed stack of empty resources. `launch` has the resources in the state of the
    stack that is compared with it."""
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
                start, options = ["pulumi"], ("--non-interactive", "--diff", *options)
            confirmed = ["--yes"] if operation == "up" else []
            where = ["--stack", "empty", "--cwd", str(folder / "project")]
            done = subprocess.run(
                [*start, operation, *confirmed, *options, *where], env=environment, capture_output=True, check=False
            )
            if done.returncode:
                raise SystemExit(f"{operation} failed:\n{done.stdout.decode()}{done.stderr.decode()}")

        if engine == "pulumi":
            run("stack", "init")
        if kind == "graph":
            (folder / "project" / "graph.json").write_text(json.dumps(graph_of(launch)), encoding="utf-8")
        config = folder / "project" / "Pulumi.empty.yaml"
        salt = yaml.safe_load(config.read_text(encoding="utf-8")) if config.exists() else {}
        values = {"empty:count": str(sum(map(_is_dynamic, launch))), "empty:endpoints": NOWHERE}
        config.write_text(yaml.safe_dump({**salt, "config": values}), encoding="utf-8")
        run("up")
        yield run


def graph_of(launch: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The nodes of the launch's graph, each with its URN, type, name, and the URNs of its parent and of its dependencies."""
    nodes = [
        resource
        for resource in launch
        if not resource["type"].startswith("pulumi:")  # the stack and the providers are made by the engine
    ]
    urns = {node["urn"] for node in nodes}
    return [
        {
            "urn": node["urn"],
            "type": "dynamic" if _is_dynamic(node) else node["type"] if node["custom"] else "component",
            "name": node["urn"].rpartition("::")[2],
            "parent": node.get("parent") if node.get("parent") in urns else None,
            "dependencies": [urn for urn in node.get("dependencies") or () if urn in urns],
        }
        for node in nodes
    ]


def _is_dynamic(resource: dict[str, Any]) -> bool:
    return bool(resource["type"].startswith("pulumi-python:"))
