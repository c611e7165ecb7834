"""The calls to Fly that the code can make, read from the source: `GET /v1/apps/{id}/machines/{id}`.

The path of each call is evaluated with the module's own functions; what is known only at run time becomes `{id}`.
"""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("providers/fly", "providers/checks", "preflight", "components", "adoption")
CLIENT = "providers/fly/api/client.py"
PREFIXES = {"call": "/v1", "web": "", "telemetry": ""}
"""The methods of `Fly`, and what they put before the path."""
READS = "telemetry"
"""The method that has no method as an argument: it reads."""
OTHERS = frozenset({"GET /v2/{id}/manifests/{id}", "GET /v2/{id}/blobs/{id}", "GET the token address of a registry"})
"""The calls to registries, which have a client of their own (providers/fly/api/registry.py)."""


class Anything:
    """A value that is known only at run time."""

    def __getattr__(self, name: str) -> "Anything":
        return self

    def __format__(self, spec: str) -> str:
        return "{id}"


def possible() -> set[str]:
    """All calls."""
    found = set(OTHERS)
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if name != CLIENT:
                found |= set(_calls(name, ast.parse(path.read_text(encoding="utf-8"))))
    return found


def _calls(file: str, tree: ast.Module) -> Iterator[str]:
    module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_client(node.func):
                name = node.func.attr
                method = "GET" if name == READS else ast.literal_eval(node.args[0])
                path = node.args[0] if name == READS else node.args[1]
                yield f"{method} {PREFIXES[name]}{_evaluated(path, function, tree, vars(module))}"


def _is_client(function: ast.Attribute) -> bool:
    """Whether it is a method of `fly`, `self.fly` or `self._fly`."""
    return function.attr in PREFIXES and ast.unparse(function.value).removeprefix("self.").lstrip("_") == "fly"


def _evaluated(path: ast.expr, function: ast.FunctionDef, tree: ast.Module, module: dict[str, Any]) -> str:
    text = ast.unparse(path)
    assigned = _assigned(text, function) or (_assigned(text, tree) if text.startswith("self.") else None)
    if assigned is not None:
        return _evaluated(assigned, function, tree, module)
    local: dict[str, Any] = {}
    for node in ast.walk(path):
        if isinstance(node, ast.Name) and node.id not in module:
            known = _assigned(node.id, function)
            local[node.id] = Anything() if known is None else _evaluated(known, function, tree, module)
    value = eval(text, module, local)  # noqa: S307 (our own source)
    return value if isinstance(value, str) else format(value)


def _assigned(target: str, scope: ast.AST) -> ast.expr | None:
    """The text, or the path, that is assigned to `target` in the scope, also as one of several."""
    for node in (node for node in ast.walk(scope) if isinstance(node, ast.Assign)):
        (place, *_), value = node.targets, node.value
        pairs = [(place, value)]
        if isinstance(place, ast.Tuple) and isinstance(value, ast.Tuple):
            pairs = list(zip(place.elts, value.elts, strict=True))
        for name, assigned in pairs:
            called = ast.unparse(assigned).partition("(")[0]
            is_text = isinstance(assigned, ast.JoinedStr | ast.Constant) or called.endswith("path")
            if ast.unparse(name) == target and is_text:
                return assigned
    return None
