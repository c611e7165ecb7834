"""The launch to measure: doubles in their own process, and a stack on either engine."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from harness.program import IMAGE, Stack, doubles, has_pulumi, people
from rehearsal.people import People

RELEASE = IMAGE
NEXT_RELEASE = "registry.fly.io/solserver:1.0.1"


@dataclass(frozen=True)
class Launch:
    stack: Stack
    addresses: dict[str, str]
    people: People

    def run(self, operation: str, *options: str) -> None:
        """Run an operation that must succeed."""
        if self.stack.run(operation, *options):
            raise SystemExit(f"{operation} failed:\n{self.stack.text}")

    def first_up(self) -> None:
        self.run("up", "--skip-preview")

    def install(self) -> None:
        """The testers install the build. `up` asks Apple about it only when the launch is declared."""
        self.people.install(self.stack.config["solos:version"], self.stack.config["solos:build"])
        self.run("up", "--skip-preview")

    def release_next(self, image: str, **config: str) -> None:
        """Configure another image, and other changes, for the next `up`."""
        self.stack.configure(image=image, expectBody=f'"{image.rpartition(":")[2]}"', **config)

    def journal(self) -> list[dict[str, Any]]:
        """Every call to a vendor so far."""
        entries: list[dict[str, Any]] = self.control("GET", "/journal")
        return entries

    def control(self, method: str, path: str, body: Any = None) -> Any:
        response = httpx.request(method, f"{self.addresses['control']}{path}", json=body, timeout=60)
        response.raise_for_status()
        return response.json()


def engines() -> list[str]:
    """The embedded engine, and the CLI if it is installed."""
    return ["embedded", *(["pulumi"] if has_pulumi() else [])]


@contextmanager
def new_launch(engine: str = "embedded") -> Iterator[Launch]:
    """A new stack with empty doubles."""
    with TemporaryDirectory(prefix="bench-") as name, doubles(Path(name)) as addresses:
        stack = Stack(Path(name), addresses, engine)
        with people(stack, addresses) as team:
            launch = Launch(stack, addresses, team)
            for reference in (RELEASE, NEXT_RELEASE):
                launch.control("POST", "/fly/images", {"reference": reference})
            yield launch
