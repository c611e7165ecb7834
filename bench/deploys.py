"""The duration of deployments, compared to their critical path, and the downtime of an update.

The critical path is the longest chain of dependent steps with their measured durations: the lower bound for any engine with these
providers. What the providers could save is in `calls`.
"""

import contextlib
import io
import itertools
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import httpx

from bench.launched import NEXT_RELEASE, RELEASE, Launch, new_launch
from bench.options import Options
from bench.paired import Paired
from rehearsal.engine.display import Display, Step, short_type
from rehearsal.engine.local_stack import load
from rehearsal.engine.operations import Engine

PROBE_SECONDS = 0.005
"""Between two requests to the public address."""


def run(options: Options) -> None:
    for latency in options.latencies:
        _deployments(latency, min(options.rounds, 3))
    _downtime(options.rounds)


def _deployments(latency: float, rounds: int) -> None:
    """First deploy, no-op and update, with `latency` seconds for each response of a vendor."""
    measured: dict[str, list[tuple[float, float]]] = {}
    longest: dict[str, list[str]] = {}
    for _ in range(rounds):
        with new_launch() as launch:
            launch.control("POST", "/delays", {"response": latency})
            for phase, prepare in _phases(launch):
                prepare()
                began = time.monotonic()
                display = _up(launch)
                wall = time.monotonic() - began
                seconds, longest[phase] = critical_path(display.steps, launch.stack.resources())
                measured.setdefault(phase, []).append((wall, seconds))
    for phase, figures in measured.items():
        wall = statistics.median(wall for wall, _ in figures)
        ratios = [wall / seconds for wall, seconds in figures if seconds]
        line = f"{phase + ' at ' + format(1000 * latency, '.0f') + ' ms':<24}{wall:5.1f} s"
        if ratios:
            line += (
                f", {statistics.median(ratios):.2f} times its critical path ({min(ratios):.2f} to {max(ratios):.2f})"
            )
        print(f"  {line}", flush=True)
        if longest[phase]:
            print(f"      {' → '.join(longest[phase])}", flush=True)


def _phases(launch: Launch) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Each phase, with what people or the stack file have to do before it."""
    yield "first deploy", lambda: None
    yield "no-op", launch.install
    yield "update", lambda: launch.release_next(NEXT_RELEASE, build="0.1")


def _up(launch: Launch) -> Display:
    """`up` without a preview, in this process, which gives access to the durations of the steps."""
    printed = io.StringIO()
    with patch.dict(os.environ, launch.stack.environment), contextlib.redirect_stdout(printed):
        display = Engine(load(launch.stack.project.absolute(), "test")).up(skip_preview=True)
    if display.errors:
        raise SystemExit(f"up failed:\n{printed.getvalue()}")
    return display


def critical_path(steps: list[Step], resources: list[dict[str, Any]]) -> tuple[float, list[str]]:
    """The duration of the longest chain, and the timed resources on it; deletions come after all other steps."""
    needs = {
        resource["urn"]: {
            *resource.get("dependencies", ()),
            *(urn for urns in (resource.get("propertyDependencies") or {}).values() for urn in urns or ()),
        }
        for resource in resources
    }
    took = {step.urn: step.seconds for step in steps if step.operation != "delete"}
    chains: dict[str, tuple[float, list[str]]] = {}

    def chain(urn: str) -> tuple[float, list[str]]:
        if urn not in chains:
            before = max((chain(need) for need in needs.get(urn, ())), default=(0.0, []))
            own = took.get(urn, 0.0)
            chains[urn] = (before[0] + own, [*before[1], *([_name(urn, own)] if own else [])])
        return chains[urn]

    seconds, names = max((chain(urn) for urn in needs), default=(0.0, []))
    deletions = sum(step.seconds for step in steps if step.operation == "delete")
    return seconds + deletions, names


def _name(urn: str, seconds: float) -> str:
    return f"{short_type(urn.split('::')[2]).partition(':')[2]} {seconds:.1f} s"


def _downtime(rounds: int) -> None:
    """The downtime of the public address in an update, compared to a restart of the same machine."""
    with new_launch() as launch:
        launch.stack.configure(database={"kind": "sqlite", "restoreDrill": "false"})
        launch.first_up()
        (app,) = launch.control("GET", "/fly/state")["fly_app"]
        (machine,) = launch.control("GET", "/fly/state")["fly_machine"]
        restart = f"{launch.addresses['fly']}/v1/apps/{app['name']}/machines/{machine['id']}/restart"
        token = {"Authorization": f"Bearer {launch.stack.environment['FLY_API_TOKEN']}"}
        downtimes: tuple[list[float], list[float]] = ([], [])
        for number in range(rounds):
            with _probing(launch, app["name"]) as updating:
                launch.release_next(RELEASE if number % 2 else NEXT_RELEASE)
                launch.run("up", "--skip-preview")
            with _probing(launch, app["name"]) as restarting:
                httpx.post(restart, headers=token).raise_for_status()
                time.sleep(1.0)
            downtimes[0].append(updating())
            downtimes[1].append(restarting())
        print(f"  downtime              {Paired(*downtimes)}, of an update and of a restart", flush=True)


@contextmanager
def _probing(launch: Launch, app: str) -> Iterator[Callable[[], float]]:
    """Request the public address continuously. Yields a function for the longest time between two successful responses."""
    good, ended = [time.monotonic()], threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=launch.addresses["proxy"], headers={"Host": f"{app}.fly.dev"}) as client:
            while not ended.wait(PROBE_SECONDS) or len(good) < 2:
                if client.get("/health").is_success:
                    good.append(time.monotonic())

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        yield lambda: max(later - earlier for earlier, later in itertools.pairwise(good))
    finally:
        ended.set()
        asker.join()
