"""Public images whose program can be installed on this computer: its name here, and the port it listens on.

A machine of such an image runs the real program with the machine's files, arguments and environment (see `loopback`). Where the
program is not installed, an idle stand-in answers the health check.
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
"""Where `make monitoring-tools` installs programs."""
SEARCH_PATH = f"{TOOLS}:{os.environ.get('PATH', os.defpath)}"


@dataclass(frozen=True)
class Program:
    binary: str
    """Its name on this computer; Debian renames some."""
    port: int
    """The port it listens on in a machine."""
    listens: str = "--web.listen-address="
    """The flag for the listen address; empty if the program takes it from the environment."""
    timeout_flag: str = ""
    """A flag with a default of half a second, which is scaled like all durations."""
    needs: str = ""
    """Another program that it cannot run without."""

    def path(self) -> str | None:
        """Its path; None if it, or a program that it needs, is not installed."""
        if self.needs and not shutil.which(self.needs, path=SEARCH_PATH):
            return None
        return shutil.which(self.binary, path=SEARCH_PATH)


PROGRAMS = {
    "prom/prometheus": Program("prometheus", 9090),
    "prom/alertmanager": Program("prometheus-alertmanager", 9093),
    "prom/blackbox-exporter": Program("prometheus-blackbox-exporter", 9115, timeout_flag="--timeout-offset="),
    "telegraf": Program("telegraf", 9598, listens="", needs="nats-server"),
    "library/python": Program("sleep", 0, listens=""),
}
"""By repository. A machine of the Python image sleeps; commands are run in it with `exec`."""
PUBLIC_TAGS = ("library/python:3.13-alpine",)
"""Images that the registry also has by tag."""


def public_image(reference: str) -> Document | None:
    """The `fly_image` document of a pinned public image; None for an unknown one."""
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
        "handles_sigterm": True,
    }
