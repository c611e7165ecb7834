"""The check of Better Stack: its token."""

from collections.abc import Iterator

from preflight.finding import Finding, Subject, blocked, ok
from providers.betterstack.api import BetterStack
from providers.errors import ProviderError


def token(subject: Subject) -> Iterator[Finding]:
    """Whether it can list the team's monitors. Whether it may create one is seen by `up` only."""
    if subject.settings.monitoring is None or not subject.settings.monitoring.uptime_seconds:
        yield ok("none: `monitoring.uptimeCheck` is not set")
        return
    try:
        BetterStack(subject.config).find(subject.settings.backend.app)
    except ProviderError as error:
        yield blocked(error.message, error.remedy)
        return
    yield ok("the token is accepted")
