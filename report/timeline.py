"""When each object of a launch was created: spans computed from the times in the state.

The state has the time at which a resource was created, and its dependencies. A span starts when the last dependency was created. So
it includes everything that delayed the resource, and the longest chain of spans is the duration of the launch.
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
    "checks:LaunchRecord": "the testers and the declaration",
    "checks:Rollout": "healthy responses",
    "checks:Watch": "the monitor to see the app",
    "fly:IssuedCertificate": "DNS and the certificate",
}
"""What a resource type waits for, if most of its span is waiting."""


@dataclass(frozen=True)
class Span:
    """One resource from `start` to `end`."""

    resource: Resource
    start: datetime
    end: datetime
    changed: datetime | None
    """Its last update after it was created."""
    critical: bool
    """Whether it is on the critical path: the launch would have been faster if this had been."""

    @property
    def waits_for(self) -> str | None:
        return WAITS.get(self.resource.kind)

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


def spans(stack: Stack) -> list[Span]:
    """A span for each custom resource whose times the state has, in the order in which they started."""
    ends = {resource.urn: resource.created for resource in stack.resources if resource.created}
    timed = [resource for resource in stack.resources if resource.custom and resource.created]
    if not timed:
        return []
    first = min(ends.values())
    critical = _critical_path(timed, ends)

    def span(resource: Resource) -> Span:
        end = ends[resource.urn]
        ready = max((ends[urn] for urn in resource.dependencies if urn in ends), default=first)
        changed = resource.modified if resource.modified and (resource.modified - end).total_seconds() > 1 else None
        return Span(resource, min(ready, end), end, changed, resource.urn in critical)

    return sorted(map(span, timed), key=lambda span: (span.start, span.end))


def _critical_path(timed: Iterable[Resource], ends: dict[str, datetime]) -> set[str]:
    """URNs of the chain that ends last: each link is the last dependency of the next one."""
    by_urn = {resource.urn: resource for resource in timed}
    chain: set[str] = set()
    link: str | None = max(by_urn, key=ends.__getitem__)
    while link:
        chain.add(link)
        link = max((urn for urn in by_urn[link].dependencies if urn in by_urn), key=ends.__getitem__, default=None)
    return chain
