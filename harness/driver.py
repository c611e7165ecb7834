"""Runs providers like the engine, without an engine: check, diff and the resulting operation, with every value through JSON.

Numbers become floats and None disappears, as on the wire (`infra-docs/vendors/pulumi.md`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self

from pulumi.dynamic import Config, ConfigureRequest, DiffResult

from project.state import SIGNATURE
from providers.errors import Incomplete
from providers.properties import encode
from providers.resource import Provider
from rehearsal.cloud.world import World


class Refused(Exception):
    """`check` reported failures."""


@dataclass
class Driven:
    """One resource of a stack. `up` is idempotent like `pulumi up`; `steps` records its operations.

    Like the engine, it keeps an `Incomplete` object and updates it in the next `up`, whatever the arguments. It also keeps a
    replaced object that could not be deleted; the next `up` or `destroy` deletes it."""

    provider: Provider[Any, Any]
    id: str = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    unfinished: bool = False
    replaced: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Id and outputs of replaced objects that are still to be deleted."""

    def up(self, **arguments: Any) -> dict[str, Any]:
        """Apply the arguments and return the outputs. Raises Refused, and what the provider raises."""
        outputs = self.step(**arguments)
        self.delete_replaced()
        return outputs

    def step(self, **arguments: Any) -> dict[str, Any]:
        """Like `up`, without deleting a replaced object: the engine does that at the end."""
        inputs = self._checked(self.inputs if self.id else {}, arguments)
        if not self.id:
            return self._create(inputs)
        diff = self.diff(**arguments)
        if diff.replaces and diff.delete_before_replace:
            self.destroy()
            self._create(inputs, step="replace")
        elif diff.replaces:
            old = (self.id, self.outputs)
            self._create(inputs, step="replace")
            self.replaced.append(old)
        elif diff.changes or self.unfinished:
            with self._incomplete_kept(inputs):
                result = self.provider.update(self.id, wire(self.outputs), wire(inputs))
            self._keep("update", self.id, inputs, result.outs)
        else:
            self.steps.append("same")
        return self.outputs

    def diff(self, **arguments: Any) -> DiffResult:
        """The result of the provider's diff for these arguments."""
        return self.provider.diff(self.id, wire(self.outputs), self._checked(self.inputs, arguments))

    def refresh(self) -> bool:
        """Read the object and update inputs and outputs. Returns whether it still exists."""
        result = self.provider.read(self.id, wire(self.outputs))
        if not result.id:
            self.id, self.inputs, self.outputs = "", {}, {}
            return False
        self._keep("read", result.id, wire(result.inputs or {}), result.outs)
        return True

    def delete_replaced(self) -> None:
        while self.replaced:
            old_id, outputs = self.replaced[0]
            self.provider.delete(old_id, wire(outputs))
            self.replaced.pop(0)

    def destroy(self) -> None:
        self.delete_replaced()
        if self.id:
            self.provider.delete(self.id, wire(self.outputs))
        self.id, self.inputs, self.outputs = "", {}, {}

    def _create(self, inputs: dict[str, Any], step: str = "create") -> dict[str, Any]:
        with self._incomplete_kept(inputs):
            result = self.provider.create(wire(inputs))
        assert result.id
        self._keep(step, result.id, inputs, result.outs)
        return self.outputs

    def _checked(self, olds: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        result = self.provider.check(wire(olds), wire(news))
        if result.failures:
            raise Refused("; ".join(failure.reason for failure in result.failures))
        return wire(result.inputs)

    @contextmanager
    def _incomplete_kept(self, inputs: dict[str, Any]) -> Iterator[None]:
        try:
            yield
        except Incomplete as incomplete:
            self._keep("incomplete", incomplete.id, inputs, encode(incomplete.state))
            self.unfinished = True
            raise

    def _keep(self, step: str, id: str, inputs: dict[str, Any], outputs: dict[str, Any] | None) -> None:
        self.steps.append(step)
        self.id, self.inputs, self.outputs, self.unfinished = id, inputs, wire(outputs or {}), False


@dataclass
class DrivenStack:
    """The resources of a stack, with the state that an engine would have: an operation that did not finish is not in it.

    A subclass has an `up` that calls `do` for each resource in the order of the engine, and ends with `finish`."""

    settings: dict[str, Any] = field(repr=False)
    """The stack configuration, without the project's prefix."""
    resources: dict[str, Driven] = field(default_factory=dict)

    def do(self, name: str, provider: Callable[[], Provider[Any, Any]], /, **arguments: Any) -> dict[str, Any]:
        """Run the operation of one resource and return its outputs. Raises what the provider raises."""
        if name not in self.resources:
            instance = provider()
            values = {f"solos:{key}": value for key, value in self.settings.items()}
            instance.configure(ConfigureRequest(Config(values, "solos")))
            self.resources[name] = Driven(instance)
        return self.resources[name].step(**arguments)

    def finish(self) -> None:
        """Delete replaced objects, dependents first."""
        for resource in reversed(list(self.resources.values())):
            resource.delete_replaced()

    def copy(self, world: World) -> Self:
        """A copy with its own state, for a copy of the world."""
        copies = {
            name: replace(resource, steps=[], replaced=[*resource.replaced])
            for name, resource in self.resources.items()
        }
        return replace(self, resources=copies)

    def destroy(self) -> None:
        for name in reversed(list(self.resources)):
            self.resources[name].destroy()
            del self.resources[name]


def wire(properties: dict[str, Any]) -> dict[str, Any]:
    """Properties after serialization. Raises TypeError for a value that is not JSON."""
    arrived: dict[str, Any] = _arrived(properties)
    return arrived


def _arrived(value: Any) -> Any:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, dict):
        if SIGNATURE in value:
            return _arrived(value["value"])
        return {str(key): _arrived(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_arrived(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return float(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
