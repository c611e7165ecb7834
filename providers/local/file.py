"""A text file that the stack writes: what somebody changes in it is shown by refresh, and put back by `up`."""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pulumi
from pulumi import Input, Output

from providers.errors import ProviderError
from providers.properties import REPLACES
from providers.resource import Provider, Resource


@dataclass(frozen=True, kw_only=True)
class FileArgs:
    path: Annotated[str, REPLACES]
    """Relative to the project. Its folder has to be there. Changing it writes the new file and removes the old one."""
    content: str
    """Changed in place. Whatever was in the file before the stack wrote it is gone."""


@dataclass(frozen=True, kw_only=True)
class FileState(FileArgs):
    """The file as it was last seen."""


class FileProvider(Provider[FileArgs, FileState]):
    Args = FileArgs
    State = FileState

    def validate(self, args: FileArgs, old: FileArgs | None) -> Iterable[str]:
        if not Path(args.path).parent.is_dir():
            yield f"there is no folder {Path(args.path).parent} for {Path(args.path).name}"

    def ensure(self, args: FileArgs) -> tuple[str, FileState]:
        return args.path, self._written(args)

    def observe(self, id: str, state: FileState) -> FileState | None:
        try:
            content = Path(state.path).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise ProviderError(f"cannot read {state.path}: {error}") from None
        return FileState(path=state.path, content=content)

    def sync(self, id: str, state: FileState, args: FileArgs) -> FileState:
        return self._written(args)

    def remove(self, id: str, state: FileState) -> None:
        """Only what the stack has written: a file with other contents is somebody's work, and stays."""
        found = self.observe(id, state)
        if found == state:
            Path(state.path).unlink(missing_ok=True)

    def _written(self, args: FileArgs) -> FileState:
        """At once or not at all, so that Xcode never reads half a file."""
        path = Path(args.path)
        try:
            with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
                file.write(args.content)
            written = Path(file.name)
            written.chmod(0o644)
            written.replace(path)
        except OSError as error:
            raise ProviderError(f"cannot write {path}: {error.strerror}") from None
        return FileState(path=args.path, content=args.content)


class File(Resource, module="local", name="File"):
    """A text file; `id` is its path."""

    provider = FileProvider
    path: Output[str]
    content: Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        path: Input[str],
        content: Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(resource_name, {"path": path, "content": content}, opts)
