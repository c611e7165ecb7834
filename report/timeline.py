"""When each object of a launch was created: spans computed from the times in the state, grouped by component.

The state has the time at which a resource was created, and its dependencies. A span starts when the last dependency was created. So
it includes everything that delayed the resource, and the longest chain of spans is the duration of the launch.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from report.state import Resource, StackState

RECORD = "checks:LaunchRecord"
"""It waits for people: hours, where everything else takes minutes."""
WAITS = {
    "appstore:App": "a person at Apple's form",
    "appstore:BuildDistribution": "Apple's release to testers",
    "appstore:Installations": "the testers",
    "appstore:ProcessedBuild": "Apple's processing",
    "checks:AlertDrill": "the page to arrive and resolve",
    RECORD: "the testers and the declaration",
    "checks:Rollout": "healthy responses",
    "checks:Watch": "the monitor to see the app",
    "fly:IssuedCertificate": "DNS and the certificate",
}
"""What a resource type waits for, if most of its span is waiting."""
RECORDED = ("checks:Rollout", "checks:AlertDrill", "appstore:Installations")
"""A launch record follows these. In the state it depends on nothing, so that it survives the loss of everything."""
SHORT = 0.02
"""Share of the whole duration below which a span outside of the critical path is not drawn on its own."""


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
    def name(self) -> str:
        """Its name inside its component: `machine` for `acme-backend-machine`."""
        return self.resource.name.removeprefix(f"{self.resource.parent_name}-")

    @property
    def waits_for(self) -> str | None:
        return WAITS.get(self.resource.kind)

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True)
class Group:
    """The spans of one component, in the order in which they started."""

    name: str
    spans: Sequence[Span]

    @property
    def start(self) -> datetime:
        return min(span.start for span in self.spans)

    @property
    def end(self) -> datetime:
        return max(span.end for span in self.spans)


def spans(stack: StackState) -> list[Span]:
    """A span for each custom resource whose times the state has, in the order in which they started."""
    ends = {resource.urn: resource.created for resource in stack.resources if resource.created}
    timed = [resource for resource in stack.resources if resource.custom and resource.created]
    if not timed:
        return []
    after = {resource.urn: _dependencies(resource, timed) for resource in timed}
    first = min(ends.values())
    critical = _critical_path(after, ends)

    def span(resource: Resource) -> Span:
        end = ends[resource.urn]
        ready = max((ends[urn] for urn in after[resource.urn] if urn in ends), default=first)
        changed = resource.modified if resource.modified and (resource.modified - end).total_seconds() > 1 else None
        return Span(resource, min(ready, end), end, changed, resource.urn in critical)

    return sorted(map(span, timed), key=lambda span: (span.start, span.end))


def grouped(spans: Iterable[Span]) -> list[Group]:
    """The spans by the innermost component, groups in the order in which they ended."""
    groups: dict[str, list[Span]] = {}
    for span in spans:
        component = span.resource.components[-1] if span.resource.components else ""
        groups.setdefault(component or "Stack", []).append(span)
    return sorted((Group(name, found) for name, found in groups.items()), key=lambda group: group.end)


def _dependencies(resource: Resource, timed: Sequence[Resource]) -> Sequence[str]:
    if resource.kind == RECORD:
        return [span.urn for span in timed if span.kind in RECORDED]
    return resource.dependencies


def _critical_path(after: dict[str, Sequence[str]], ends: dict[str, datetime]) -> set[str]:
    """URNs of the chain that ends last: each link is the last dependency of the next one."""
    chain: set[str] = set()
    link: str | None = max(after, key=ends.__getitem__)
    while link:
        chain.add(link)
        link = max((urn for urn in after[link] if urn in after), key=ends.__getitem__, default=None)
    return chain
