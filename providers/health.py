"""A public URL, asked as a user would ask it: through the edge, with TLS, and more than once.

In a rehearsal the edge is a local proxy (endpoint `proxy`) that routes by the Host header, as Fly's does.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pulumi.dynamic import Config

from providers import configuration, http, waiting
from providers.errors import ProviderError

if TYPE_CHECKING:
    import httpx

ATTEMPT_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Health:
    """What a healthy application answers, and where."""

    hostname: str
    path: str = "/health"
    expect_status: int = 200
    expect_body: str | None = None
    """Text that must be in the body: a version, say."""
    probes: int = 3
    """How many good answers in a row make it healthy."""
    seconds: float = 60.0
    """How long that may take."""


@dataclass(frozen=True)
class Answered:
    """The good answers: milliseconds each, and the time on our clock of the first."""

    latencies_ms: list[float]
    first_at: float


def probe(config: Config, health: Health, *, meanwhile: Callable[[str], object] = lambda text: None) -> Answered:
    """Ask until `health.probes` answers in a row are as expected. Raises TimedOut with the last other answer.

    `meanwhile(text)` is called before each attempt, for progress or to keep a lease.
    """
    import httpx

    base = configuration.endpoint(config, "proxy", "")
    url = f"{base or f'https://{health.hostname}'}{health.path}"
    latencies: list[float] = []
    first_at = 0.0
    seen = "nothing yet"

    def healthy() -> Answered | None:
        nonlocal first_at, seen
        meanwhile(f"https://{health.hostname}{health.path}: {seen}")
        asked_at = waiting.clock.now()
        try:
            answer = client.get(url, headers={"Host": health.hostname}, timeout=ATTEMPT_SECONDS)
        except httpx.TransportError as error:
            latencies.clear()
            seen = f"no answer ({type(error).__name__}: {error})"
            return None
        trouble = _trouble(answer, health)
        if trouble:
            latencies.clear()
            seen = trouble
            return None
        first_at = first_at if latencies else asked_at
        latencies.append(round((waiting.clock.now() - asked_at) * 1000, 1))
        seen = f"{len(latencies)} of {health.probes} good answers"
        return Answered(list(latencies), first_at) if len(latencies) >= health.probes else None

    with httpx.Client(
        transport=http.make_transport(base or f"https://{health.hostname}"), follow_redirects=False
    ) as client:
        return waiting.poll(
            healthy,
            seconds=health.seconds,
            waiting_for=f"https://{health.hostname}{health.path} to answer as expected",
            last_seen=lambda: seen,
            max_pause=1.0,
        )


def knock(config: Config, hostname: str, path: str) -> None:
    """One request whose answer does not matter: what counts is that the app notes it."""
    import httpx

    base = configuration.endpoint(config, "proxy", "")
    url = f"{base or f'https://{hostname}'}{path}"
    with (
        contextlib.suppress(httpx.TransportError),
        httpx.Client(transport=http.make_transport(base or f"https://{hostname}")) as client,
    ):
        client.get(url, headers={"Host": hostname}, timeout=ATTEMPT_SECONDS)


def _trouble(answer: "httpx.Response", health: Health) -> str:
    if answer.status_code != health.expect_status:
        return f"HTTP {answer.status_code} instead of {health.expect_status}"
    if health.expect_body is not None and health.expect_body not in answer.text:
        return f"HTTP {answer.status_code}, but without {health.expect_body!r} in the body"
    return ""


def health_problems(health: Health) -> list[str]:
    """Sentences that say what is wrong with the arguments."""
    problems = []
    if not health.path.startswith("/"):
        problems.append(f"the health path {health.path!r} must begin with a slash")
    if health.probes < 1:
        problems.append(f"the number of probes must be at least 1, not {health.probes}")
    return problems


class Unhealthy(ProviderError):
    """Something that was verified is not as it should be; the text says what was seen."""

    __module__ = "builtins"
