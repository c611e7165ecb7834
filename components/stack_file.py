"""Values in the stack file that do not arrive as they are written.

YAML reads `1.10` as the number 1.1, `010` as 8, and `2026-11-29` as a date, unless they are in quotes. The engine passes on what YAML
has read, so only the text of the file shows what was meant.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from components.config import SettingProblem, SettingText

NOT_IN_QUOTES = SettingText("{key}", "YAML reads {text} as a number or a date", remedy='write "{text}", in quotes')

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""From the C library where PyYAML has it: a preview reads its files ten times as fast. `project.files` makes the same choice: a program
does not import the tools around it, nor they the program."""

_WHOLE = r"0|-?[1-9][0-9]*"
_NUMBER = r"(?i)[-+]?(0x[0-9a-f_]+|0o?[0-7_]+|0b[01_]+|(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)(e[-+]?[0-9]+)?)|\d{4}-\d\d?-\d\d?.*"
"""What the CLI takes for a number or a date (https://pkg.go.dev/gopkg.in/yaml.v3)."""


def problems(file: Path, project: str) -> Iterator[SettingProblem]:
    """The numbers and dates without quotes, other than whole numbers in their usual form. None for a file that the engine cannot
    read either."""
    try:
        document = yaml.compose(file.read_text(encoding="utf-8"), LOADER)
    except (OSError, ValueError, yaml.YAMLError):
        return
    for key, node in _scalars(document, ""):
        namespace, _, name = key.removeprefix(".config.").partition(":")
        is_ours = key.startswith(".config.") and namespace == project and not node.style
        if is_ours and re.fullmatch(_NUMBER, node.value) and not re.fullmatch(_WHOLE, node.value):
            place = f"{file.name}:{node.start_mark.line + 1}"
            yield NOT_IN_QUOTES(place=place, key=name, text=node.value)


def _scalars(node: yaml.Node | None, key: str) -> Iterator[tuple[str, yaml.ScalarNode]]:
    if isinstance(node, yaml.MappingNode):
        for name, item in node.value:
            yield from _scalars(item, f"{key}.{name.value if isinstance(name, yaml.ScalarNode) else ''}")
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _scalars(item, f"{key}[{index}]")
    elif isinstance(node, yaml.ScalarNode):
        yield key, node
