"""`pulumi config` and `pulumi stack init`: changes to Pulumi.<stack>.yaml. Comments in it are not kept."""

import json
from pathlib import Path
from typing import Any

from project.config import crypter_of, project_name, stack_file
from project.crypter import Crypter
from project.files import read_yaml, write_yaml
from rehearsal.engine.paths import steps_of


class StackFile:
    """The stack file as it is on disk. Secrets stay encrypted."""

    def __init__(self, folder: Path, stack: str, file: Path | None = None) -> None:
        """`folder` is the project's; `file` replaces its Pulumi.<stack>.yaml. Raises BadProject if there is no project."""
        self._stack = stack
        self._namespace = project_name(folder)
        self.path = stack_file(folder, stack, file)

    def init(self) -> Crypter:
        """Make sure that the file has a salt of the passphrase. Raises WrongPassphrase if it has another one."""
        with self.path.open("a"):
            pass
        return crypter_of(self._stack, self.path)

    def get(self, key: str, *, path: bool) -> Any:
        """The value, decrypted if it is secret; None if there is none."""
        value: Any = self._read().get("config") or {}
        for step in self._steps(key, path=path):
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        if isinstance(value, dict) and value.keys() == {"secure"}:
            return crypter_of(self._stack, self.path).decrypt(value["secure"])
        return value

    def set(self, key: str, text: str, *, path: bool, secret: bool, as_text: bool) -> None:
        """Set a value. At a path, `true`, `false` and whole numbers become booleans and numbers unless `as_text`, as with the CLI."""
        value: Any = {"secure": crypter_of(self._stack, self.path).encrypt(text)} if secret else text
        if path and not secret and not as_text and (text in ("true", "false") or text.isdecimal()):
            value = json.loads(text)
        document = self._read()
        *above, last = self._steps(key, path=path)
        place: Any = document.setdefault("config", {})
        for step, following in zip(above, [*above, last][1:], strict=True):
            place = _into(place, step, [] if isinstance(following, int) else {})
        if isinstance(place, list) and last == len(place):
            place.append(value)
        else:
            place[last] = value
        self._write(document)

    def remove(self, key: str, *, path: bool) -> None:
        """Remove a value; does nothing if there is none."""
        document = self._read()
        *above, last = self._steps(key, path=path)
        place: Any = document.get("config") or {}
        for step in above:
            place = place.get(step, {}) if isinstance(place, dict) else place[step]
        if isinstance(place, list):
            place.pop(int(last))
        else:
            place.pop(last, None)
        self._write(document)

    def _steps(self, key: str, *, path: bool) -> list[str | int]:
        first, *rest = steps_of(key) if path else [key]
        return [str(first) if ":" in str(first) else f"{self._namespace}:{first}", *rest]

    def _read(self) -> dict[str, Any]:
        return read_yaml(self.path, required=False)

    def _write(self, document: dict[str, Any]) -> None:
        write_yaml(self.path, document)


def _into(place: Any, step: str | int, empty: Any) -> Any:
    """The value at `step`, set to `empty` first if it is missing."""
    if isinstance(place, list) and step == len(place):
        place.append(empty)
    elif isinstance(place, dict) and step not in place:
        place[step] = empty
    return place[step]
