"""Converts the resources of the running program to the input of the checklist."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import pulumi

from checklist.known import Known, Observed, SignOffs, kind_of, outputs_read


def known(components: Iterable[pulumi.ComponentResource], *, sign_offs: SignOffs, label: str) -> pulumi.Output[Known]:
    """The checklist's input. It is unknown in a preview that changes an output that a row reads."""
    observed = [resource for component in components for resource in _observe(component, ())]
    return pulumi.Output.all(*observed).apply(
        lambda resources: Known(resources=resources, sign_offs=sign_offs, label=label, now=datetime.now(UTC))
    )


def _observe(component: pulumi.Resource, within: tuple[str, ...]) -> Iterator[pulumi.Output[Observed]]:
    """The resources inside a component, and inside the components in it."""
    within = (*within, type(component).__name__)
    # The SDK has no public accessor for the children of a component, and stores them in a set, without order.
    for child in sorted(component._childResources, key=lambda child: child.pulumi_resource_name):
        if isinstance(child, pulumi.ComponentResource):
            yield from _observe(child, within)
        elif isinstance(child, pulumi.CustomResource) and outputs_read(kind_of(child.pulumi_resource_type)):
            yield _observed(child, within)


def _observed(resource: pulumi.CustomResource, within: tuple[str, ...]) -> pulumi.Output[Observed]:
    kind = kind_of(resource.pulumi_resource_type)

    def observed(values: dict[str, Any]) -> Observed:
        return Observed(kind=kind, id=values["id"], components=within, outputs=values)

    outputs = {name: getattr(resource, name) for name in outputs_read(kind)}
    return pulumi.Output.all(id=resource.id, **outputs).apply(observed)
