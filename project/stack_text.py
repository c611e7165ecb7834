"""Changes one key of a stack file, and leaves the other lines, comments included, as they are."""

from pathlib import Path
from typing import Any

import yaml

from project.files import BadProject, bad, create_private


def set_key(text: str, key: str, value: Any, path: Path) -> str:
    """The text of a stack file with the top-level `key` of `config` set, for example `solos:signOffs`.

    `path` is for the error. Raises BadProject if `config` is not in block style.
    """
    config = _child(yaml.compose(text, yaml.SafeLoader), "config")
    if not isinstance(config, yaml.MappingNode) or config.flow_style or not config.value:
        raise bad(path, "has no `config:` with one key per line")
    first, _ = config.value[0]
    start, end = _lines_of(config, key, text)
    dumped = yaml.safe_dump({key: value}, allow_unicode=True, sort_keys=False, width=10_000)
    indent = " " * first.start_mark.column
    written = "".join(f"{indent}{line}\n" for line in dumped.splitlines())
    lines = text.splitlines(keepends=True)
    if start and not lines[start - 1].endswith("\n"):
        lines[start - 1] += "\n"
    return "".join([*lines[:start], written, *lines[end:]])


def replace_file(path: Path, text: str) -> None:
    """Replace the content at once: a run that is killed leaves the old file or the new one. Raises BadProject."""
    draft = path.with_name(f"{path.name}.draft")
    try:
        with create_private(draft) as stream:
            stream.write(text)
        draft.chmod(path.stat().st_mode & 0o777)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise BadProject(f"{path} cannot be written: {error.strerror}") from None


def _child(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _lines_of(config: yaml.MappingNode, key: str, text: str) -> tuple[int, int]:
    """The lines that the key takes, half-open; for a new key, the place after the last one."""
    found = next((pair for pair in config.value if pair[0].value == key), config.value[-1])
    mark = _last(found[1]).end_mark
    start, end = found[0].start_mark.line, mark.line + bool(mark.column)
    lines = text.splitlines()
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1  # A text may end where the next token begins: comments between them are not its own.
    return (start, end) if found[0].value == key else (end, end)


def _last(node: yaml.Node) -> yaml.Node:
    """The last value inside a block, which ends where it is written. The mark of the block itself is where the next key begins."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(node, yaml.MappingNode) else last
    return node
