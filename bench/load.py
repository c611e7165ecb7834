"""Requests that fail during an update of a server without a volume, by the strategy of fly.toml."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from bench.launched import NEXT_RELEASE, new_launch
from bench.options import Options

STRATEGIES = ("rolling", "immediate", "bluegreen", "canary")
CLIENTS = 2
PAUSE_SECONDS = 0.01
"""Between two requests of a client."""


def run(options: Options) -> None:
    for strategy in STRATEGIES:
        good, failed = _update(strategy)
        print(f"  {strategy:<22}{failed} of {good + failed} requests failed", flush=True)


def _update(strategy: str) -> tuple[int, int]:
    """How many requests succeed, and how many fail, from the start of the update to its end."""
    with new_launch() as launch:
        launch.stack.configure(database={"kind": "postgres", "plan": "starter", "restoreDrill": "false"})
        launch.stack.remove_volume()
        launch.stack.edit("fly.toml", 'strategy = "rolling"', f'strategy = "{strategy}"')
        launch.first_up()
        (app,) = launch.control("GET", "/fly/state")["fly_app"]
        launch.release_next(NEXT_RELEASE)
        with _load(launch.addresses["proxy"], f"{app['name']}.fly.dev") as counted:
            launch.run("up", "--skip-preview")
        return counted[True], counted[False]


@contextmanager
def _load(proxy: str, hostname: str) -> Iterator[Counter[bool]]:
    """Request the public address from several clients. Yields how many requests have succeeded and failed; complete after the block."""
    counted: Counter[bool] = Counter()
    ended, counting = threading.Event(), threading.Lock()

    def ask() -> None:
        with httpx.Client(base_url=proxy, headers={"Host": hostname}, timeout=30.0) as client:
            while not ended.wait(PAUSE_SECONDS):
                try:
                    is_good = client.get("/health").is_success
                except httpx.TransportError:
                    is_good = False
                with counting:
                    counted[is_good] += 1

    clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield counted
    finally:
        ended.set()
        for client in clients:
            client.join()
