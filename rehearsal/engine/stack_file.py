"""`pulumi config` and `pulumi stack init`: changes to the stack's own file, Pulumi.<stack>.yaml. Comments in it are not kept."""

import json
from pathlib import Path
from typing import Any

import yaml

from project.config import BadProject, crypter_of
from rehearsal.engine.paths import steps_of


class StackFile:
    """The configuration of one stack, as it is written down. Secrets stay encrypted."""

    def __init__(self, folder: Path, stack: str, file: Path | None = None) -> None:
        """`folder` is the project's, `file` stands in place of its Pulumi.<stack>.yaml. Raises BadProject without a project."""
        try:
            project = yaml.safe_load((folder / "Pulumi.yaml").read_text())
        except FileNotFoundError:
            raise BadProject(
                f"{folder / 'Pulumi.yaml'} is missing: run this in a folder with a Pulumi project"
            ) from None
        self._stack = stack
        self._namespace = str(project["name"])
        self.path = file or folder / f"Pulumi.{stack}.yaml"

    def init(self) -> None:
        """A stack file with a salt that fits the passphrase. Raises WrongPassphrase for one that does not."""
        with self.path.open("a"):
            pass
        crypter_of(self._stack, self.path)

    def get(self, key: str, *, path: bool) -> Any:
        """The value, a secret one in clear; None where there is none."""
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
        """At a path, and unless it is asked for `as_text`, true, false and whole numbers are what they look like, as with the CLI."""
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
        """A value that is not there is no mistake."""
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
        return (yaml.safe_load(self.path.read_text()) or {}) if self.path.exists() else {}

    def _write(self, document: dict[str, Any]) -> None:
        self.path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False))


def _into(place: Any, step: str | int, empty: Any) -> Any:
    """What is at `step`, made empty first where nothing is."""
    if isinstance(place, list) and step == len(place):
        place.append(empty)
    elif isinstance(place, dict) and step not in place:
        place[step] = empty
    return place[step]
