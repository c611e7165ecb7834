"""Property paths of `ignoreChanges` and `pulumi config --path`: `colour`, `config.env.LEVEL`, `tags[0]`, `env["A.B"]`."""

import copy
import re
from collections.abc import Collection
from typing import Any

from rehearsal.engine.values import Properties, Secret

STEP = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.\[]+)')


def keep_old(paths: Collection[str], old: Properties, new: Properties) -> Properties:
    """`new` with the values of `old` at `paths`; a path that `old` lacks is removed."""
    if not paths:
        return new
    kept = copy.deepcopy(new)
    for path in paths:
        _copy(steps_of(path), old, kept)
    return kept


def steps_of(path: str) -> list[str | int]:
    """The keys and list indices of a path."""
    return [text or (int(index) if index else name) for text, index, name in STEP.findall(path)]


def _copy(steps: list[str | int], old: Any, new: Any) -> None:
    for step in steps[:-1]:
        old, new = _inside(old, step), _inside(new, step)
    last = steps[-1]
    if isinstance(new, dict):
        if isinstance(old, dict) and last in old:
            new[last] = old[last]
        else:
            new.pop(last, None)
    elif isinstance(new, list) and isinstance(old, list) and isinstance(last, int) and last < min(len(new), len(old)):
        new[last] = old[last]


def _inside(value: Any, step: str | int) -> Any:
    value = value.value if isinstance(value, Secret) else value
    if isinstance(value, dict):
        return value.get(step)
    return value[step] if isinstance(value, list) and isinstance(step, int) and step < len(value) else None
