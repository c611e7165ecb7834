"""Property values: plain JSON, `Secret` around a secret value, and `UNKNOWN` for values that only an update can compute.

On the wire and in state a secret is an object with a signature key; see `infra-docs/vendors/pulumi.md`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from google.protobuf import struct_pb2

from project.state import SECRET, SIGNATURE

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

Value: TypeAlias = Any
Properties: TypeAlias = dict[str, Value]


@dataclass(frozen=True)
class Secret:
    """A value that is encrypted in state and never printed."""

    value: Value


def from_wire(struct: struct_pb2.Struct) -> Properties:
    """The properties in a protobuf structure."""
    return {key: _from_wire(value) for key, value in struct.fields.items()}


def _from_wire(value: struct_pb2.Value) -> Value:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        properties = from_wire(value.struct_value)
        return Secret(properties["value"]) if properties.get(SIGNATURE) == SECRET else properties
    if kind == "list_value":
        return [_from_wire(item) for item in value.list_value.values]
    return None if kind in ("null_value", None) else getattr(value, kind)


def to_wire(properties: Mapping[str, Value], *, with_secrets: bool) -> struct_pb2.Struct:
    """A protobuf structure; `with_secrets` keeps secrets marked, otherwise they become plain values."""
    struct = struct_pb2.Struct()
    for key, value in properties.items():
        _put(struct.fields[key], value, with_secrets=with_secrets)
    return struct


def _put(place: struct_pb2.Value, value: Value, *, with_secrets: bool) -> None:
    kind = type(value)
    if kind is str:
        place.string_value = value
    elif kind is dict:
        fields = place.struct_value.fields
        for key, item in value.items():
            _put(fields[key], item, with_secrets=with_secrets)
        place.struct_value.SetInParent()  # also if it is empty
    elif kind is list:
        for item in value:
            _put(place.list_value.values.add(), item, with_secrets=with_secrets)
        place.list_value.SetInParent()
    elif kind is Secret:
        sent = {SIGNATURE: SECRET, "value": value.value} if with_secrets else value.value
        _put(place, sent, with_secrets=with_secrets)
    elif value is None:
        place.null_value = struct_pb2.NULL_VALUE
    elif kind is bool:
        place.bool_value = value
    elif isinstance(value, str):  # A provider in this process may return a text of a type of its own.
        place.string_value = value
    else:
        place.number_value = value


def mapped(value: Value, change: Callable[[Secret], Value]) -> Value:
    """`value` with `change` applied to every secret in it, outermost first."""
    kind = type(value)
    if kind is dict:
        return {key: mapped(item, change) for key, item in value.items()}
    if kind is list:
        return [mapped(item, change) for item in value]
    return mapped(change(value), change) if kind is Secret else value


def plain(value: Value) -> Value:
    """`value` with all secrets decrypted."""
    return mapped(value, lambda secret: secret.value)


def has_secret(value: Value) -> bool:
    return isinstance(value, Secret) or any(has_secret(item) for item in _items(value))


def _items(value: Value) -> Iterator[Value]:
    if isinstance(value, Secret):
        yield value.value
    elif isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def marked_like(inputs: Mapping[str, Value], outputs: Mapping[str, Value], always: set[str]) -> Properties:
    """`outputs` with secrets where `inputs` have them under the same key, and under the keys `always`."""
    marked = {key: _marked_like(inputs.get(key), value) for key, value in outputs.items()}
    return {key: Secret(plain(value)) if key in always else value for key, value in marked.items()}


def _marked_like(given: Value, value: Value) -> Value:
    if isinstance(given, Secret) or (isinstance(given, list) and has_secret(given)):
        return Secret(plain(value))
    if isinstance(given, dict) and isinstance(value, dict):
        return {key: _marked_like(given.get(key), item) for key, item in value.items()}
    return value


def difference(old: Value, new: Value, path: str = "") -> Iterator[tuple[str, Value, Value]]:
    """The paths where two values differ: `("config.env.LEVEL", "info", "debug")`; None for an absent value."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from difference(old.get(key), new.get(key), f"{path}.{key}" if path else key)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (old_item, new_item) in enumerate(zip(old, new, strict=True)):
            yield from difference(old_item, new_item, f"{path}[{index}]")
    elif old != new and plain(old) != plain(new):
        yield path, old, new
