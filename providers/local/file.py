"""A text file that the stack writes: refresh shows a change made to it by hand, and `pulumi up` writes it again."""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pulumi import Output

from providers.errors import ErrorText, Problem, ProblemText
from providers.properties import REPLACES, is_known
from providers.record import Input, Record
from providers.resource import Provider, Resource

NO_FOLDER = ProblemText("path", "the folder {folder} of {name} does not exist", remedy="create it, or fix the path")
UNREADABLE = ErrorText("cannot read {path}: {reason}", remedy="fix its permissions, then run `pulumi up` again")
UNWRITABLE = ErrorText(
    "cannot write {path}: {reason}", remedy="fix its permissions or free space, then run `pulumi up` again"
)


class FileArgs(Record):
    path: Annotated[Input[str], REPLACES]
    """Relative to the project. Its folder must exist when the file is written. Changing it writes the new file and deletes the old one."""
    content: Input[str]
    """Changed in place. The first write overwrites whatever the file contained."""


class FileState(FileArgs):
    """The file as it was read last."""


class FileProvider(Provider[FileArgs, FileState]):
    Args = FileArgs
    State = FileState
    validates_unknown = True

    def validate(self, args: FileArgs, old: FileArgs | None) -> Iterable[Problem]:
        if args == old or not is_known(args.path):
            return
        path = Path(args.path)
        if not path.parent.is_dir():
            yield NO_FOLDER(folder=path.parent, name=path.name)

    def ensure(self, args: FileArgs) -> tuple[str, FileState]:
        return args.path, self._write(args)

    def observe(self, id: str, state: FileState) -> FileState | None:
        path = Path(state.path)
        if not path.parent.is_dir():
            return state  # The stack is run on a computer without this folder: nothing can be said about the file.
        try:
            content = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise UNREADABLE(path=state.path, reason=error) from None
        return FileState(path=state.path, content=content)

    def sync(self, id: str, state: FileState, args: FileArgs) -> FileState:
        return self._write(args)

    def remove(self, id: str, state: FileState) -> None:
        """Deletes only what the stack wrote: a file with other content has been edited, and stays."""
        found = self.observe(id, state)
        if found == state:
            Path(state.path).unlink(missing_ok=True)

    def _write(self, args: FileArgs) -> FileState:
        """Atomic, so that Xcode never reads half a file."""
        path = Path(args.path)
        try:
            with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
                file.write(args.content)
            written = Path(file.name)
            written.chmod(0o644)
            written.replace(path)
        except OSError as error:
            raise UNWRITABLE(path=path, reason=error.strerror) from None
        return FileState(path=args.path, content=args.content)


class File(Resource[FileArgs], module="local", name="File"):
    """A text file; `id` is its path."""

    provider = FileProvider
    path: Output[str]
    content: Output[str]
