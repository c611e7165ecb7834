"""All services over one store: what a process serves, and what a test holds in its hand."""

import tempfile
from pathlib import Path

from rehearsal.cloud.appstore import appstore_services
from rehearsal.cloud.bucket import Bucket
from rehearsal.cloud.clock import Clock, Delays
from rehearsal.cloud.control import Control
from rehearsal.cloud.faults import Faults
from rehearsal.cloud.fly import fly_services
from rehearsal.cloud.journal import Journal
from rehearsal.cloud.service import Service
from rehearsal.cloud.store import Store


class World:
    """The doubles. `services` maps a name (`fly`, `appstore`, …) to its WSGI application; `addresses` to its URL."""

    def __init__(self, folder: Path | None = None, clock: Clock | None = None, delays: Delays | None = None) -> None:
        """`folder` keeps state, volumes and logs over restarts; without one, all is in memory and machines have no process."""
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
        self.services: dict[str, Service] = {
            service.name: service
            for service in [*fly_services(self), *appstore_services(self), Control(self), Bucket(self)]
        }

    def close(self) -> None:
        """End the machines' processes and release the store; the state stays where it is."""
        for service in self.services.values():
            service.close()
        self.store.close()
        if self._temporary:
            self._temporary.cleanup()
