"""The calls to App Store Connect that the code can make, read from the source: `GET /v1/builds/{id}`.

Found are the calls of `AppStore`'s methods with a class of `objects.py`, also through a variable of the same function. A site whose class
is a parameter has to be in BY_PARAMETER.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from providers.appstore.api import objects
from providers.appstore.api.objects import Resource

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("providers/appstore", "preflight")
CLIENT = "providers/appstore/api/client.py"
KINDS = {name: kind for name, kind in vars(objects).items() if isinstance(kind, type) and issubclass(kind, Resource)}
BY_PARAMETER = {
    ("providers/appstore/api/team.py", "by_email"): ("GET /v1/users", "GET /v1/userInvitations", "GET /v1/betaTesters"),
    ("providers/appstore/installations.py", "_reports"): (
        "GET /v1/apps/{id}/betaFeedbackCrashSubmissions",
        "GET /v1/apps/{id}/betaFeedbackScreenshotSubmissions",
    ),
    ("preflight/appstore.py", "role"): tuple(
        f"POST /v1/{type}"
        for type in ("bundleIds", "betaGroups", "buildUploads", "profiles", "certificates", "userInvitations")
    ),
}
"""The calls of functions that get the class of the objects as a parameter, by file and function."""
SIMPLE = {
    "get": "GET {one}",
    "create": "POST {whole}",
    "may_create": "POST {whole}",
    "update": "PATCH {one}",
    "delete": "DELETE {one}",
    "build_usage": "GET {one}/metrics/betaBuildUsages",
}
"""The call of each method of `AppStore` that needs nothing but the class."""
METHODS = {*SIMPLE, "get_related", "list_all", "link", "unlink"}
STORAGE = "PUT the addresses in `uploadOperations`"


def possible() -> set[str]:
    """All calls, and the one that sends bytes to the storage."""
    found = {STORAGE}
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if name != CLIENT:
                found |= set(_calls(name, ast.parse(path.read_text(encoding="utf-8"))))
    return found


def _calls(file: str, tree: ast.Module) -> Iterator[str]:
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for function in functions:
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_store(node.func):
                yield from _call(file, function, node, node.func.attr)


def _is_store(function: ast.Attribute) -> bool:
    """Whether it is a method of `store`, `self._store` or `client.AppStore(…)`."""
    owner = ast.unparse(function.value)
    return function.attr in METHODS and (
        owner in ("store", "self._store") or owner.startswith(("AppStore(", "client.AppStore("))
    )


def _call(file: str, function: ast.FunctionDef, node: ast.Call, method: str) -> Iterator[str]:
    known = BY_PARAMETER.get((file, function.name))
    if known:
        yield from known
        return
    types = _types(node.args[0], function)
    if len(types) != 1:
        raise AssertionError(
            f"{file}:{node.lineno}: of which class is {ast.unparse(node.args[0])}? Add it to BY_PARAMETER"
        )
    (type,) = types
    yield from _of_type(type, function, node, method)


def _of_type(type: str, function: ast.FunctionDef, node: ast.Call, method: str) -> Iterator[str]:
    whole, one = f"/v1/{type}", f"/v1/{type}/{{id}}"
    words = {word.arg: word.value for word in node.keywords if word.arg}
    if method in SIMPLE:
        yield SIMPLE[method].format(whole=whole, one=one)
    elif method == "list_all":
        parents = _types(words["of"], function) if "of" in words else set()
        yield from (f"GET /v1/{parent}/{{id}}/{type}" for parent in parents)
        yield from () if parents else (f"GET {whole}",)
    elif method == "get_related":
        (parent,) = _types(node.args[1], function)
        yield f"GET /v1/{parent}/{{id}}/{ast.literal_eval(node.args[2])}"
    else:
        (target,) = _types(node.args[1], function)
        yield f"{'POST' if method == 'link' else 'DELETE'} {one}/relationships/{target}"
    if method == "update" and "done" not in words:
        yield f"GET {one}"


def _types(expression: ast.expr, function: ast.FunctionDef) -> set[str]:
    """The types of the classes that an expression names, or that the function assigns to the variable that it is."""
    named = {
        KINDS[name].type
        for node in ast.walk(expression)
        if (name := node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else "")
        in KINDS
    }
    if named or not isinstance(expression, ast.Name):
        return named
    assigned = [
        node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        and any(expression.id in ast.unparse(target).split(", ") for target in node.targets)
    ]
    return {type for value in assigned for type in _types(value, function)}
