"""GraphQL, as far as flyctl uses it: parses a request, and selects the requested fields from Python objects.

An object is a dict with its type as `__typename`; a value is JSON, an object, a list of them, or a function of the field's
arguments that returns one. Like Fly's server it refuses a field that the type does not have. There is no schema: types of variables
and arguments are not checked.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

TOKEN = re.compile(
    r'\s+|,|#[^\n]*|(?P<token>\.\.\.|[{}()\[\]:!$=@]|"(?:[^"\\\n]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[A-Za-z_]\w*)'
)
CONSTANTS = {"true": True, "false": False, "null": None}
CLOSING = {"(": ")", "[": "]", "{": "}"}


class BadQuery(Exception):
    """The server's sentence about a request that it does not execute."""


@dataclass(frozen=True)
class Field:
    name: str
    alias: str
    """The key in the response."""
    arguments: Mapping[str, Any]
    fields: tuple["Field | Fragment", ...]


@dataclass(frozen=True)
class Fragment:
    """Fields for objects of type `on`, or of every type if it is empty."""

    on: str
    fields: tuple["Field | Fragment", ...]


def execute(document: str, variables: Mapping[str, Any], roots: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The response to the only operation in `document`, selected from the root object of its kind: `{"data": …}`.

    `roots` has `query` and `mutation`. Raises BadQuery, and what the functions in the roots raise.
    """
    kind, fields = _Parser(document, variables).operation()
    return {"data": _select(roots[kind], fields)}


class _Parser:
    def __init__(self, document: str, variables: Mapping[str, Any]) -> None:
        self._tokens = list(_tokens(document))
        self._at = 0
        self._variables = variables

    def operation(self) -> tuple[str, tuple[Field | Fragment, ...]]:
        """Kind and selection of the operation."""
        found: list[tuple[str, int]] = []
        while self._token:
            kind = "query" if self._token == "{" else self._token
            while self._token != "{":
                self._skip_group() if self._token == "(" else self._next()
            if kind != "fragment":
                found.append((kind, self._at))
            self._skip_group()
        if len(found) != 1:
            raise BadQuery(f"Expected one operation, found {len(found)}")
        kind, self._at = found[0]
        return kind, self._selection()

    def _selection(self) -> tuple[Field | Fragment, ...]:
        fields: list[Field | Fragment] = []
        self._expect("{")
        while not self._skip("}"):
            if not self._skip("..."):
                fields.append(self._field())
            elif self._skip("on"):
                fields.append(Fragment(self._next(), self._selection()))
            elif self._token == "{":
                fields.append(Fragment("", self._selection()))
            else:
                fields.append(self._fragment(self._next()))
        return tuple(fields)

    def _fragment(self, name: str) -> Fragment:
        """The fragment of that name, wherever it is defined."""
        here = self._at
        starts = [at for at in range(len(self._tokens)) if self._tokens[at : at + 2] == ["fragment", name]]
        if not starts:
            raise BadQuery(f"Fragment {name} was used, but not defined")
        self._at = starts[0] + 3
        fragment = Fragment(self._next(), self._selection())
        self._at = here
        return fragment

    def _field(self) -> Field:
        alias = name = self._next()
        if self._skip(":"):
            name = self._next()
        arguments: dict[str, Any] = {}
        if self._skip("("):
            while not self._skip(")"):
                key = self._next()
                self._expect(":")
                arguments[key] = self._value()
        return Field(name, alias, arguments, self._selection() if self._token == "{" else ())

    def _value(self) -> Any:
        token = self._next()
        if token == "$":
            return self._variables.get(self._next())
        if token == "[":
            items = []
            while not self._skip("]"):
                items.append(self._value())
            return items
        if token == "{":
            table: dict[str, Any] = {}
            while not self._skip("}"):
                key = self._next()
                self._expect(":")
                table[key] = self._value()
            return table
        if token in CONSTANTS:
            return CONSTANTS[token]
        return token if token[0].isalpha() else json.loads(token)

    @property
    def _token(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._token
        if not token:
            raise BadQuery("Unexpected end of document")
        self._at += 1
        return token

    def _skip(self, token: str) -> bool:
        is_next = self._token == token
        self._at += is_next
        return is_next

    def _expect(self, token: str) -> str:
        if not self._skip(token):
            raise BadQuery(f"Expected {token}, actual: {self._token or 'end of document'}")
        return token

    def _skip_group(self) -> None:
        """Skip to the end of the brackets that open here."""
        depth = 0
        while True:
            token = self._next()
            depth += (token in CLOSING) - (token in CLOSING.values())
            if depth == 0:
                return


def _tokens(document: str) -> Iterator[str]:
    at = 0
    while at < len(document):
        found = TOKEN.match(document, at)
        if found is None:
            raise BadQuery(f"Unexpected character {document[at]!r}")
        at = found.end()
        if found["token"]:
            yield found["token"]


def _select(source: Mapping[str, Any], fields: tuple[Field | Fragment, ...]) -> dict[str, Any]:
    selected: dict[str, Any] = {}
    for field in fields:
        if isinstance(field, Fragment):
            if field.on in ("", source["__typename"]):
                selected |= _select(source, field.fields)
            continue
        if field.name not in source:
            raise BadQuery(f"Field '{field.name}' doesn't exist on type '{source['__typename']}'")
        value = source[field.name]
        selected[field.alias] = _resolved(value(**field.arguments) if callable(value) else value, field)
    return selected


def _resolved(value: Any, field: Field) -> Any:
    if isinstance(value, list):
        return [_resolved(item, field) for item in value]
    if isinstance(value, dict) and "__typename" in value:
        if not field.fields:
            raise BadQuery(f"Field must have selections (field '{field.name}' returns {value['__typename']})")
        return _select(value, field.fields)
    if field.fields and value is not None:
        raise BadQuery(f"Selections can't be made on scalars (field '{field.name}')")
    return value
