"""The doubles in a process of their own, and what people do there: at the vendors' desks, with `fly`, in a browser."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ENDPOINTS = {
    "fly": "fly",
    "flyPlatform": "fly_platform",
    "registry": "registry",
    "proxy": "proxy",
    "appstore": "appstore",
}
"""The double behind each of the program's endpoints."""


class Doubles:
    """Doubles that are served. `addresses` are their URLs by name, `credentials` what a stack needs to talk to them."""

    def __init__(self, addresses: dict[str, str], folder: Path) -> None:
        self.addresses = addresses
        self.credentials: dict[str, str] = json.loads((folder / "credentials.json").read_text(encoding="utf-8"))

    @property
    def endpoints(self) -> dict[str, str]:
        """The value of `solos:endpoints` that leads here."""
        return {endpoint: self.addresses[name] for endpoint, name in ENDPOINTS.items()}

    @property
    def control(self) -> str:
        return self.addresses["control"]

    def do(self, path: str, /, **body: Any) -> Any:
        """What a person does that no vendor offers as a call: a POST to the control address (`rehearsal/cloud/control.py`)."""
        return self._controlled("POST", path, body)

    def see(self, path: str) -> Any:
        """What the control address shows: `/fly/state`, `/journal` …"""
        return self._controlled("GET", path)

    def fly(self, method: str, path: str, **body: Any) -> tuple[int, Any]:
        """Status and answer of a call to the Machines API, as `fly` would make it."""
        headers = {"Authorization": f"Bearer {self.credentials['FLY_API_TOKEN']}"}
        return _answered(f"{self.addresses['fly']}/v1{path}", method, body or None, headers)

    def browse(self, hostname: str, path: str, **body: Any) -> tuple[int, Any]:
        """Status and answer that a user of https://hostname gets; with a body it is a POST."""
        return _answered(
            f"{self.addresses['proxy']}{path}", "POST" if body else "GET", body or None, {"Host": hostname}
        )

    def _controlled(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        status, answer = _answered(f"{self.control}{path}", method, body)
        assert status < 300, f"{method} {path}: HTTP {status} {answer}"
        return answer


@contextmanager
def served(folder: Path, port: int = 0) -> Iterator[Doubles]:
    """Doubles as long as the block runs, on consecutive ports or any that are free. `folder` keeps everything.

    Raises SystemExit when they do not start, which they have explained.
    """
    command = [sys.executable, "-m", "rehearsal", "serve", "--port", str(port), "--data", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        if not ready:
            raise SystemExit(1)
        try:
            yield Doubles(json.loads(ready), folder)
        finally:
            process.terminate()


def _answered(
    url: str, method: str, body: dict[str, Any] | None = None, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})}, method=method)  # noqa: S310 (loopback)
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 (loopback)
            return answer.status, _decoded(answer.read())
    except urllib.error.HTTPError as refusal:
        return refusal.code, _decoded(refusal.read())


def _decoded(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return content.decode(errors="replace")
