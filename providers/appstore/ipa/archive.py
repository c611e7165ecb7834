"""The files in an IPA, read with limits, so that a damaged or hostile one costs little memory and time. Raises ValueError for it."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MAX_DIRECTORY = 16 << 20
"""Bytes of the zip's directory, which is read as a whole: enough for 150 000 files."""
MAX_OFFSET = 512 << 20
"""How far into a file `read_at` goes. Everything before it is unpacked, in pieces, and dropped."""
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The compression methods of IPAs. Python unpacks others without a limit."""


class Archive:
    """An open IPA. `names` are the paths of its files."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        self.names = frozenset(file.namelist())

    def read(self, name: str, limit: int) -> bytes:
        """A whole file, of at most `limit` bytes when unpacked, whatever the archive says of its size."""
        content = self.read_at(name, 0, limit + 1)
        if len(content) > limit:
            raise ValueError(f"{name} is larger than {limit >> 10} KiB")
        return content

    def read_at(self, name: str, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; empty if the offset is beyond MAX_OFFSET."""
        if offset > MAX_OFFSET:
            return b""
        try:
            with self._file.open(self._entry(name)) as member:
                if offset:
                    member.seek(offset)
                return member.read(length)
        except Exception as error:  # noqa: BLE001 (zipfile raises nearly anything for a damaged file)
            raise ValueError(f"{name} cannot be unpacked ({error or type(error).__name__})") from None

    def _entry(self, name: str) -> zipfile.ZipInfo:
        entry = self._file.getinfo(name)
        if entry.compress_type not in METHODS:
            raise ValueError(f"compression method {entry.compress_type}")
        return entry


class _Limited(io.FileIO):
    """A file that refuses to be read in large pieces: the directory of a zip is one."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAX_DIRECTORY:
            raise ValueError(f"its directory is larger than {MAX_DIRECTORY >> 20} MiB")
        return super().read(size) or b""


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Open an IPA. Raises OSError if the file cannot be read."""
    with _Limited(path) as file:
        try:
            archive = zipfile.ZipFile(file)
        except Exception as error:  # noqa: BLE001 (as above)
            raise ValueError(str(error) or type(error).__name__) from None
        with archive:
            yield Archive(archive)
