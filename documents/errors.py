"""infra-docs/ERRORS.md: every text that the program refuses or fails with, read off the code that raises it.

What counts as such a text: what an error class is raised with, what a setting or a line of fly.toml is refused with, a sentence
that `validate` or another check yields, and the remedies that vendors' refusals are explained with. What varies stands in angle brackets, by the name
that it has in the code.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PATH = ROOT / "infra-docs" / "ERRORS.md"

PLACES: dict[str, str] = {
    "components": "Settings, refused at preview",
    "providers/fly": "Fly.io",
    "providers/appstore": "App Store Connect",
    "providers/checks": "Proofs and the launch record",
    "providers": "Any call",
    "rehearsal": "Rehearsals and the embedded engine",
}
"""Headings, by folder. A file belongs to the first that it is under."""

OTHERS = tuple(ROOT / "rehearsal" / name for name in ("cloud", "standins"))
"""They speak as the vendors and the server do; their texts are not ours."""

NOT_FOR_PEOPLE = frozenset({"AssertionError", "KeyError", "NotImplementedError", "SystemExit"})
"""What ends at a defect, or says what it means by a text that is among the others."""

SENTENCES = ("validate", "problem", "_check", "_refuse", "refusal")
"""Parts of the names of functions that yield sentences about what is wrong."""

BEFORE = """\
# Every error, and what to do

Each is one line: what happened, to which object, why, and what to do. Look for a few words of yours; what varies stands in angle
brackets. The second column is the error's name, where it has one, and the file that says it.
This file is made from the code: `make docs` writes it anew, and a test fails when it lags.

Three kinds of line come from elsewhere: what `pulumi` itself says (its exit codes: 0 done, 1 failed, 2 wrong usage, 7 changes where
none were expected), what Fly and Apple write (quoted in ours, with the id that their support asks for), and what the server logs.
"""


@dataclass(frozen=True, order=True)
class Told:
    """One text, the error class that carries it ("" for a sentence), and the file where it is."""

    text: str
    error: str
    file: str


def render() -> str:
    """The whole document."""
    texts = sorted(set(told()))
    sections = [f"\n## {heading}\n\n| It says | From |\n| --- | --- |\n" for heading in PLACES.values()]
    for number, folder in enumerate(PLACES):
        sections[number] += "".join(_row(each) for each in texts if _place(each.file) == folder)
    return BEFORE + "".join(sections)


def told() -> Iterator[Told]:
    """Every text in the code, in no order."""
    for folder in ("components", "providers", "rehearsal"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not any(path.is_relative_to(other) for other in OTHERS):
                yield from texts_of(ast.parse(path.read_text(encoding="utf-8")), str(path.relative_to(ROOT)))


def texts_of(module: ast.Module, file: str) -> Iterator[Told]:
    """The texts of one module."""
    for function in ast.walk(module):
        if isinstance(function, ast.ClassDef):
            for statement in function.body:
                if isinstance(statement, ast.Assign) and [ast.unparse(target) for target in statement.targets] == [
                    "remedy"
                ]:
                    yield from (Told(text, function.name, file) for text in _spoken(statement.value, {}))
        if not isinstance(function, ast.FunctionDef):
            continue
        known = {
            target.id: node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in _own(function):
            for error, expression in _saying(node, function.name, file):
                yield from (Told(text, error, file) for text in _spoken(expression, known))


def _own(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions inside it, which come by themselves."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.FunctionDef))


def _saying(node: ast.AST, function: str, file: str) -> Iterator[tuple[str, ast.expr]]:
    """The error class and the expressions of the texts that this node says to a person."""
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        error = ast.unparse(node.exc.func).rpartition(".")[2]
        if error not in NOT_FOR_PEOPLE:
            yield from ((error, argument) for argument in node.exc.args)
    elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".refuse") and len(node.args) == 2:
        yield "", ast.JoinedStr([*_parts(_key(node.args[0])), ast.Constant(" "), *_parts(node.args[1])])
    elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".problem", "problems.append")):
        texts = [each for each in node.args if isinstance(each, ast.Constant | ast.JoinedStr) and " " in _text(each)]
        place = "fly.toml:<line>: <key> " if "/appconfig/" in file else ""
        yield from (("", ast.JoinedStr([ast.Constant(place), *_parts(text)])) for text in texts[:1])
    elif isinstance(node, ast.Yield) and node.value and any(part in function for part in SENTENCES):
        yield from (("", each) for each in (node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]))
    elif isinstance(node, ast.Return) and function == "_cause" and isinstance(node.value, ast.Tuple):
        kind, remedy = node.value.elts
        yield ast.unparse(kind), remedy


def _key(name: ast.expr) -> ast.expr:
    return ast.JoinedStr([ast.Constant("solos:"), *_parts(name)])


def _parts(expression: ast.expr) -> list[ast.expr]:
    if isinstance(expression, ast.JoinedStr):
        return expression.values
    return [expression if isinstance(expression, ast.Constant) else ast.FormattedValue(expression, -1)]


def _spoken(expression: ast.expr, known: dict[str, ast.expr]) -> Iterator[str]:
    """The texts that an expression can be; none for one that is passed on from elsewhere."""
    if isinstance(expression, ast.IfExp):
        yield from _spoken(expression.body, known)
        yield from _spoken(expression.orelse, known)
    elif isinstance(expression, ast.Name) and expression.id in known:
        yield from _spoken(known[expression.id], {})
    elif isinstance(expression, ast.List):
        for each in expression.elts:
            yield from _spoken(each, known)
    elif isinstance(expression, ast.Constant | ast.JoinedStr | ast.BinOp):
        text = _text(expression)
        if sum(character.isalpha() for character in text) > 10 and " " in text:  # A sentence, not a key.
            yield text


def _text(expression: ast.expr) -> str:
    if isinstance(expression, ast.Constant):
        return str(expression.value)
    if isinstance(expression, ast.JoinedStr):
        return "".join(_text(part) for part in expression.values)
    if isinstance(expression, ast.BinOp) and isinstance(expression.op, ast.Add):
        return _text(expression.left) + _text(expression.right)
    if isinstance(expression, ast.FormattedValue):
        return f"<{_name(expression.value)}>"
    return f"<{_name(expression)}>"


def _name(expression: ast.expr) -> str:
    """What a person calls the value: `args.app` is an app, `volume['id']` a volume's id."""
    if isinstance(expression, ast.Attribute):
        return expression.attr.replace("_", " ").strip()
    if isinstance(expression, ast.Name):
        return expression.id.replace("_", " ").strip()
    if isinstance(expression, ast.Subscript) and isinstance(expression.slice, ast.Constant):
        owner = _name(expression.value)
        return owner if owner == "…" else f"{owner} {expression.slice.value!s}"
    if isinstance(expression, ast.Subscript):
        return _name(expression.value)
    if isinstance(expression, ast.Call) and expression.args:
        return _name(expression.args[0])
    return "…"


def _place(file: str) -> str:
    return next(folder for folder in PLACES if file.startswith(f"{folder}/"))


def _row(each: Told) -> str:
    text = " ".join(each.text.split()).replace("|", "\\|").replace("<", "\\<")
    error = f"{each.error}, " if each.error else ""
    return f"| {text} | {error}`{each.file}` |\n"
