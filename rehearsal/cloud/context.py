"""What every service of the doubles uses: storage, time, delays, faults and the journal. It knows none of the services."""

import tempfile
from pathlib import Path

from rehearsal.cloud.clock import Clock, Delays
from rehearsal.cloud.faults import Faults
from rehearsal.cloud.journal import Journal
from rehearsal.cloud.store import Store


class Context:
    """`addresses` maps the name of a service (`fly`, `appstore`, …) to its URL once it is served."""

    def __init__(self, folder: Path | None = None, clock: Clock | None = None, delays: Delays | None = None) -> None:
        """`folder` keeps state, volumes and logs across restarts. Without a folder the store is in memory, files are temporary
        and machines have no process."""
        folder = folder.absolute() if folder else None
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._temporary = None if folder else tempfile.TemporaryDirectory(prefix="rehearsal-")
        self.files = folder or Path(self._temporary.name if self._temporary else "")
        self.clock = clock or Clock()
        self.delays = delays or Delays()
        self.store = Store(folder / "world.sqlite3" if folder else None)
        self.journal = Journal(self.store)
        self.faults = Faults()
        self.addresses: dict[str, str] = {}

    def close(self) -> None:
        """Close the store and delete temporary files. State in `folder` is kept."""
        self.store.close()
        if self._temporary:
            self._temporary.cleanup()
