"""The health probe: a public URL, requested as a user would, through the edge, with TLS, several times.

In a rehearsal the edge is a local proxy (endpoint `proxy`) that routes by the Host header, as Fly's does.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec
from pulumi.dynamic import Config

from providers import configuration, waiting
from providers.errors import Problem, ProblemText

if TYPE_CHECKING:
    import httpx

ATTEMPT_SECONDS = 10.0
EXCERPT = 60
"""Characters of a wrong body that a message shows."""
FIX_HEALTH = "fix the release, or what a healthy one answers (config keys healthPath and expectBody)"

BAD_PATH = ProblemText("path", "the health path {path} must begin with a slash")
NO_PROBES = ProblemText("probes", "the number of probes must be at least 1, not {probes}")


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The response of a healthy application, and where to request it."""

    hostname: str
    path: str = "/health"
    expect_status: int = 200
    expect_body: str | None = None
    """Text that the body must contain, for example a version."""
    probes: int = 3
    """How many good responses in a row make it healthy."""
    seconds: float = 60.0
    """How long that may take."""


class Probed(msgspec.Struct, frozen=True):
    """The good responses: milliseconds each, and the time of the first on our clock."""

    latencies_ms: list[float]
    first_at: float


def probe(config: Config, health: Health, *, meanwhile: Callable[[], object] = lambda: None) -> Probed:
    """Probe until `health.probes` responses in a row are as expected. Raises TimedOut with the last other response.

    A wrong body is waited for as long as an error: the version before may still answer, or the new one not be ready yet, and
    `seconds` is what the user allows for that. The status line shows what came and what was expected, so nobody waits for a typo.
    `meanwhile` is called before each attempt, to keep a lease.
    """
    import httpx

    latencies: list[float] = []
    first_at = 0.0
    seen = "nothing yet"

    def healthy() -> Probed | None:
        nonlocal first_at, seen
        meanwhile()
        asked_at = waiting.clock.now()
        try:
            response = get()
        except httpx.RequestError as error:
            latencies.clear()
            seen = f"no response ({type(error).__name__}: {error})"
            return None
        failure = _failure(response, health)
        if failure:
            latencies.clear()
            seen = failure
            return None
        first_at = first_at if latencies else asked_at
        latencies.append(round((waiting.clock.now() - asked_at) * 1000, 1))
        seen = f"{len(latencies)} of {health.probes} good responses"
        return Probed(list(latencies), first_at) if len(latencies) >= health.probes else None

    with _edge(config, health.hostname, health.path) as get:
        return waiting.poll(
            healthy,
            seconds=health.seconds,
            waiting_for=f"https://{health.hostname}{health.path} to answer as expected",
            last_seen=lambda: seen,
            action="checking health",
            remedy=FIX_HEALTH,
            max_pause=1.0,
        )


def request_once(config: Config, hostname: str, path: str) -> None:
    """One request whose response does not matter: the app is to log it."""
    import httpx

    with contextlib.suppress(httpx.RequestError), _edge(config, hostname, path) as get:
        get()


@contextlib.contextmanager
def _edge(config: Config, hostname: str, path: str) -> "Iterator[Callable[[], httpx.Response]]":
    """A function that requests the URL."""
    import httpx

    from providers import http

    base = configuration.endpoint(config, "proxy", "") or f"https://{hostname}"

    def get() -> httpx.Response:
        with client.stream("GET", f"{base}{path}", headers={"Host": hostname}) as response:
            http.read_within(response, ATTEMPT_SECONDS)
            return response

    with httpx.Client(transport=http.make_transport(base), timeout=ATTEMPT_SECONDS) as client:
        yield get


def _failure(response: "httpx.Response", health: Health) -> str:
    if response.status_code != health.expect_status:
        return f"HTTP {response.status_code} instead of {health.expect_status}"
    if health.expect_body is not None and health.expect_body not in response.text:
        return f"HTTP {response.status_code}, but without {health.expect_body!r} in the body, {_excerpt(response.text)}"
    return ""


def _excerpt(body: str) -> str:
    """The beginning of a body in one line: everybody can read it at the public address."""
    text = " ".join(body.split())
    if not text:
        return "which is empty"
    return f"which is {text[:EXCERPT]!r}" if len(text) <= EXCERPT else f"which begins with {text[:EXCERPT]!r}"


def health_problems(health: Health) -> Iterator[Problem]:
    """What is wrong with the arguments."""
    if not health.path.startswith("/"):
        yield BAD_PATH(path=health.path)
    if health.probes < 1:
        yield NO_PROBES(probes=health.probes)
