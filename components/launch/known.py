"""Converts the resources of the running program to the input of the checklist."""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import pulumi

from checklist.known import Known, Observed, SignOffs, kind_of, outputs_read


def known(components: Iterable[pulumi.ComponentResource], *, sign_offs: SignOffs, label: str) -> pulumi.Output[Known]:
    """The checklist's input. It is unknown in a preview that changes an output that a row reads."""
    found = [place for component in components for place in _observe(component, ())]

    def read(values: list[dict[str, Any]]) -> Known:
        resources = [
            Observed(kind=kind_of(resource.pulumi_resource_type), id=outputs["id"], components=within, outputs=outputs)
            for (resource, within), outputs in zip(found, values, strict=True)
        ]
        return Known(resources=resources, sign_offs=sign_offs, label=label, now=datetime.now(UTC))

    return _all([_outputs(resource) for resource, _ in found]).apply(read)


def _observe(
    component: pulumi.Resource, within: tuple[str, ...]
) -> Iterator[tuple[pulumi.CustomResource, tuple[str, ...]]]:
    """The resources inside a component, and inside the components in it, each with the types of the components around it."""
    within = (*within, type(component).__name__)
    # The SDK has no public accessor for the children of a component, and stores them in a set, without order.
    for child in sorted(component._childResources, key=lambda child: child.pulumi_resource_name):
        if isinstance(child, pulumi.ComponentResource):
            yield from _observe(child, within)
        elif isinstance(child, pulumi.CustomResource) and outputs_read(kind_of(child.pulumi_resource_type)):
            yield child, within


def _outputs(resource: pulumi.CustomResource) -> dict[str, pulumi.Output[Any]]:
    names = outputs_read(kind_of(resource.pulumi_resource_type))
    return {"id": resource.id, **{name: getattr(resource, name) for name in names}}


def _all(given: list[dict[str, pulumi.Output[Any]]]) -> pulumi.Output[list[dict[str, Any]]]:
    """The values of outputs that contain no other outputs. `pulumi.Output.all` makes an output of everything inside of a value, and
    the SDK keeps a list of all outputs: for a whole stack that is a tenth of the program's time."""
    outputs = [output for each in given for output in each.values()]

    async def values() -> list[dict[str, Any]]:
        return [{name: await output.future(with_unknowns=True) for name, output in each.items()} for each in given]

    async def resources() -> set[pulumi.Resource]:
        return {resource for output in outputs for resource in await output.resources()}

    async def is_known() -> bool:
        return all([await output.is_known() for output in outputs])

    async def is_secret() -> bool:
        return any([await output.is_secret() for output in outputs])

    task = asyncio.ensure_future  # Python reports a coroutine that nothing awaits, as in a program that fails before.
    return pulumi.Output(task(resources()), task(values()), task(is_known()), task(is_secret()))
