"""When each object of a launch was made: spans computed from the times in the state.

The state tells when a resource was finished, and what it had to wait for. Its span therefore starts when the last of those
stood: so a span is the work on the resource plus whatever held it up, and the longest chain of spans is what the launch took.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from report.state import Resource, Stack

WAITS = {
    "appstore:App": "a person at Apple's form",
    "appstore:BuildDistribution": "Apple's release to testers",
    "appstore:Installations": "the testers",
    "appstore:ProcessedBuild": "Apple's processing",
    "checks:AlertDrill": "the page to arrive and resolve",
    "checks:LaunchRecord": "the testers and who declares it",
    "checks:Rollout": "healthy answers",
    "checks:Watch": "the monitor to see the app",
    "fly:IssuedCertificate": "DNS and the certificate",
}
"""Kinds that make nothing, or nothing by themselves: they wait until something is so. And for what."""


@dataclass(frozen=True)
class Span:
    """One resource from `start` to `end`; `changed` is its last later change, `decisive` says that the end hung on it."""

    resource: Resource
    start: datetime
    end: datetime
    changed: datetime | None
    decisive: bool

    @property
    def waits_for(self) -> str | None:
        return WAITS.get(self.resource.kind)

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


def spans(stack: Stack) -> list[Span]:
    """A span for each custom resource whose times the state knows, in the order in which they started."""
    ends = {resource.urn: resource.created for resource in stack.resources if resource.created}
    made = [resource for resource in stack.resources if resource.custom and resource.created]
    if not made:
        return []
    first = min(ends.values())
    starts = {
        resource.urn: min(max((ends[urn] for urn in resource.after if urn in ends), default=first), ends[resource.urn])
        for resource in made
    }
    decisive = _decisive(made, ends)
    return sorted(
        (
            Span(
                resource,
                starts[resource.urn],
                ends[resource.urn],
                _later(resource.modified, ends[resource.urn]),
                resource.urn in decisive,
            )
            for resource in made
        ),
        key=lambda span: (span.start, span.end),
    )


def _later(modified: datetime | None, created: datetime) -> datetime | None:
    return modified if modified and (modified - created).total_seconds() > 1 else None


def _decisive(made: Iterable[Resource], ends: dict[str, datetime]) -> set[str]:
    """The chain that ends last: each of its links is the last of those that the next one waited for."""
    by_urn = {resource.urn: resource for resource in made}
    chain: set[str] = set()
    link: str | None = max(by_urn, key=ends.__getitem__)
    while link:
        chain.add(link)
        link = max((urn for urn in by_urn[link].after if urn in by_urn), key=ends.__getitem__, default=None)
    return chain
