"""Public images whose program may be on this computer: what it is called here, and where it listens.

A machine of such an image runs the program, with the machine's own files, arguments and environment; see `loopback`.
Where it is not installed an idle stand-in answers its health check, and nothing that the program would do is done.
"""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from rehearsal.cloud.store import Document

PINNED = re.compile(r"(?P<repository>[a-z0-9./_-]+)(?::(?P<tag>[\w.-]+))?@(?P<digest>sha256:[0-9a-f]{64})")
DOCKER_HUB = "registry-1.docker.io"
TOOLS = Path(__file__).resolve().parents[3] / ".tools" / "bin"
"""Where `make monitoring-tools` puts what it builds."""
PLACES = f"{TOOLS}:{os.environ.get('PATH', os.defpath)}"


@dataclass(frozen=True)
class Program:
    binary: str
    """Its name on this computer; Debian has its own for some."""
    port: int
    """Where it listens in a machine."""
    listens: str = "--web.listen-address="
    """The flag that says so; empty for one that takes it from its environment."""
    patience: str = ""
    """A flag whose default is half a second, which has to become shorter as all durations do."""
    needs: str = ""
    """Another program of this computer without which it cannot run."""

    def path(self) -> str | None:
        """Where it is; None where it, or what it needs, is not installed."""
        if self.needs and not shutil.which(self.needs, path=PLACES):
            return None
        return shutil.which(self.binary, path=PLACES)


PROGRAMS = {
    "prom/prometheus": Program("prometheus", 9090),
    "prom/alertmanager": Program("prometheus-alertmanager", 9093),
    "prom/blackbox-exporter": Program("prometheus-blackbox-exporter", 9115, patience="--timeout-offset="),
    "telegraf": Program("telegraf", 9598, listens="", needs="nats-server"),
    "library/python": Program("sleep", 0, listens=""),
}
"""By repository. A machine of Python's image sleeps, until somebody runs a command in it."""
TAGGED = ("library/python:3.13-alpine",)
"""Those that are known to the registry by their tag."""


def public_image(reference: str) -> Document | None:
    """What a pinned image of a public registry is; None for one that is not played here."""
    named = PINNED.fullmatch(reference)
    repository = named["repository"].removeprefix("docker.io/") if named else ""
    if named is None or repository not in PROGRAMS:
        return None
    return {
        "reference": f"{DOCKER_HUB}/{repository}:{named['tag'] or ''}",
        "digest": named["digest"],
        "runs": repository,
        "version": named["tag"] or "",
        "requires": [],
        "broken": None,
    }
