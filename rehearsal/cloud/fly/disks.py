"""The content of volumes, snapshots and databases: a real folder for each."""

import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path


class Disks:
    """Folders below `folder`, or below a temporary one that `close` removes."""

    def __init__(self, folder: Path | None) -> None:
        self._temporary = folder is None
        self._folder = folder

    @property
    def folder(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="rehearsal-"))
        return self._folder

    def volume(self, id: str) -> Path:
        """The folder of a volume, created on first use."""
        return self._created(self.folder / "volumes" / id)

    def new_root(self, machine_id: str) -> Path:
        """A root file system with an empty /tmp: each start of a machine begins with a new one."""
        root = self.folder / "machines" / machine_id
        shutil.rmtree(root, ignore_errors=True)
        self._created(root / "tmp")
        return root

    def take_snapshot(self, volume_id: str, snapshot_id: str) -> None:
        """Copy the folder as it is: a snapshot is only crash-consistent."""
        shutil.copytree(self.volume(volume_id), self.folder / "snapshots" / snapshot_id, dirs_exist_ok=True)

    def restore(self, snapshot_id: str, volume_id: str) -> None:
        shutil.copytree(self.folder / "snapshots" / snapshot_id, self.volume(volume_id), dirs_exist_ok=True)

    def copy_from(self, other: "Disks") -> None:
        """Copy the volumes and snapshots of another instance."""
        for kind in ("volumes", "snapshots"):
            if (other.folder / kind).exists():
                shutil.copytree(other.folder / kind, self.folder / kind)

    def move_volume(self, old: str, new: str) -> None:
        shutil.copytree(self.volume(old), self.volume(new), dirs_exist_ok=True)

    def drop_volume(self, id: str) -> None:
        shutil.rmtree(self.folder / "volumes" / id, ignore_errors=True)

    def database(self, cluster_id: str, name: str) -> Path:
        """The folder of a Managed Postgres database, created when a server first connects."""
        return self._created(self.folder / "postgres" / cluster_id / name)

    def back_up(self, cluster_id: str, backup_id: str) -> None:
        """Copy all databases of a cluster, each as it is at one moment, while servers write to them."""
        source = self._created(self.folder / "postgres" / cluster_id)
        backup = self._created(self.folder / "backups" / cluster_id / backup_id)
        for file in source.rglob("*.sqlite3"):
            target = self._created(backup / file.parent.relative_to(source)) / file.name
            with closing(sqlite3.connect(file)) as live, closing(sqlite3.connect(target)) as copy:
                live.backup(copy)

    def restore_backup(self, cluster_id: str, backup_id: str, to: str) -> None:
        source = self.folder / "backups" / cluster_id / backup_id
        shutil.copytree(source, self.folder / "postgres" / to, dirs_exist_ok=True)

    def drop_cluster(self, id: str) -> None:
        for kind in ("postgres", "backups"):
            shutil.rmtree(self.folder / kind / id, ignore_errors=True)

    def close(self) -> None:
        if self._temporary and self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    @staticmethod
    def _created(folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        return folder
