"""Starts the doubles in a separate process, and acts on them as people do: on the vendors' websites, with `fly`, in a browser."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any

from rehearsal.endpoints import ENDPOINTS


class Refused(Exception):
    """The control address refused a request, or does not respond; the message says which."""


class Control:
    """The control address: what people do on the vendors' websites and phones (`rehearsal/cloud/control.py`)."""

    def __init__(self, url: str) -> None:
        self.url = url

    def do(self, path: str, /, **body: Any) -> Any:
        """POST `body` to the path. Raises Refused."""
        return self._call("POST", path, body)

    def see(self, path: str) -> Any:
        """GET the path, for example `/fly/state` or `/journal`. Raises Refused."""
        return self._call("GET", path)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        try:
            status, response = _call(f"{self.url}{path}", method, body)
        except (OSError, HTTPException) as error:  # HTTPException: they end in the middle of a response
            raise Refused(f"the doubles do not respond at {self.url}: {error}") from None
        if status >= 300:
            reason = response.get("error") if isinstance(response, dict) else response
            raise Refused(f"{reason} ({method} {path}: HTTP {status})")
        return response


class Doubles(Control):
    """Running doubles. `addresses` are their URLs by name, `credentials` the environment variables of a stack that uses them."""

    def __init__(self, addresses: dict[str, str], folder: Path, process: "subprocess.Popen[str] | None" = None) -> None:
        """`folder` has their credentials; `process` is the one that serves them, if this process started it."""
        super().__init__(addresses["control"])
        self.addresses = addresses
        self.process = process
        self.credentials: dict[str, str] = json.loads((folder / "credentials.json").read_text(encoding="utf-8"))

    @property
    def endpoints(self) -> dict[str, str]:
        """The value of `endpoints` for these doubles."""
        return {endpoint: self.addresses[name] for endpoint, name in ENDPOINTS.items()}

    @property
    def control(self) -> str:
        return self.url

    def fly(self, method: str, path: str, **body: Any) -> tuple[int, Any]:
        """Call the Machines API, as `fly` would; returns status and body."""
        headers = {"Authorization": f"Bearer {self.credentials['FLY_API_TOKEN']}"}
        return _call(f"{self.addresses['fly']}/v1{path}", method, body or None, headers)

    def browse(self, hostname: str, path: str, **body: Any) -> tuple[int, Any]:
        """Request https://hostname as a user would, with a POST if there is a body; returns status and body."""
        return _call(f"{self.addresses['proxy']}{path}", "POST" if body else "GET", body or None, {"Host": hostname})


@contextmanager
def served(folder: Path, port: int | None = 0, inherits: Collection[int] = ()) -> Iterator[Doubles]:
    """Serve doubles during the block. They stop with this process, even if it is killed. Their state is in `folder`.

    `port` is the first of consecutive ports; 0 lets the system choose, None takes the usual ones if they are free. `inherits` are
    file descriptors that stay open in their process. Raises SystemExit if they do not start; their process prints the reason.
    """
    command = [sys.executable, "-m", "rehearsal", "serve", "--exit-with-parent", "--data", str(folder)]
    with subprocess.Popen(
        [*command, *([] if port is None else ["--port", str(port)])],
        stdin=subprocess.PIPE,  # its end tells them that this process has ended
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for this process: the engine needs the doubles until it has stopped
        pass_fds=inherits,
    ) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        if not ready:
            raise SystemExit(1)
        try:
            yield Doubles(json.loads(ready), folder, process)
        finally:
            process.terminate()


def _call(
    url: str, method: str, body: dict[str, Any] | None = None, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})}, method=method)  # noqa: S310 (loopback)
    try:
        with urllib.request.urlopen(request) as response:  # noqa: S310 (loopback)
            return response.status, _decoded(response.read())
    except urllib.error.HTTPError as refusal:
        return refusal.code, _decoded(refusal.read())


def _decoded(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return content.decode(errors="replace")
