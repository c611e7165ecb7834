"""fly.toml: read with line numbers, and rendered to the machine config that `fly deploy` renders. Pure.

All sections for a server app with one process group are read. A section that cannot have the meaning that it has for flyctl is a
problem, with its name, line and reason; so is an unknown key. All problems are reported at once.

The rendering follows flyctl (https://github.com/superfly/flyctl/tree/master/internal/appconfig). The image and the id of the volume
are added at the deployment.
"""

import base64
import re
import shlex
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from providers.errors import Problem, ProblemText
from providers.fly.api.durations import seconds_of
from providers.fly.api.guest import CPUS, MEMORY_PER_CPU, Guest, guest_problems
from providers.fly.api.machines import Config
from providers.fly.appconfig import services
from providers.fly.appconfig.services import ProcessGroup, present
from providers.fly.appconfig.tables import GB, MB, Document, Table
from providers.fly.safe_update.machine_config import PLATFORM_METADATA

SIGNALS = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGTERM")
RESTART = {"always": "always", "on-failure": "on-failure", "never": "no"}
PREFIXES = {"shared-cpu": "shared", "performance": "performance"}
"""Prefix of a size's name, and its kind of CPU."""
MAX_KILL_SECONDS = 300
MAX_VOLUME_GB, MAX_INCREMENT_GB = 500, 100
DEPLOY_SECONDS = 300.0

REFUSED = {
    "statics": "files are served from the image: leave it out",
    "experimental": "it has no stable meaning: leave it out",
    "machine_config": "this file is the machine definition: leave it out",
    "container": "one container per machine is supported: leave it out",
    "mount": "write [[mounts]]",
    "metric": "write [[metrics]]",
    "compute": "write [[vm]]",
    "computes": "write [[vm]]",
    "host_dedication_id": "dedicated hosts are not supported: leave it out",
    "machine_checks": "they need a second machine, which has no volume: use checks",
    "build.*": "the image is built before the launch, and named in the stack's config (only `image` is read here)",
    "deploy.release_command": "it runs on a machine without the volume: migrate the database when the server starts",
    "deploy.release_command_timeout": "there is no release_command",
    "deploy.release_command_vm": "there is no release_command",
    "deploy.seed_command": "it runs on a machine without the volume: seed the database when the server starts",
    "checks.*.kind": "fly deploy does not read it, and would remove it; the checks of services decide about routing",
    "http_service.machine_checks": "they need a second machine, which has no volume: use checks",
    "services.machine_checks": "they need a second machine, which has no volume: use checks",
    "vm.gpu_kind": "GPUs are not supported",
    "vm.gpus": "GPUs are not supported",
    "vm.host_dedication_id": "dedicated hosts are not supported: leave it out",
    "vm.kernel_args": "the kernel is Fly's: leave it out",
    "vm.max_memory_mb": "memory is fixed: leave it out",
    "vm.persist_rootfs": "each version has its own root file system: keep data on the volume",
}
"""Keys that flyctl knows and that cannot work here, with the reason."""

UNREADABLE = ProblemText("fly.toml", "cannot be read ({reason})")
NOT_TOML = ProblemText("fly.toml", "is not valid TOML: {fault}")
SECOND_MACHINE = ProblemText(
    "fly.toml", "{strategy!r} needs a second machine, and a volume has only one: use rolling or immediate"
)
BAD_STRATEGY = ProblemText("fly.toml", "must be rolling or immediate")
SECOND_GROUP = ProblemText("fly.toml", "is a second process group: one group on one machine is supported")
BAD_COMMAND = ProblemText("fly.toml", "cannot be split into words: {fault}")
COMMENT_IN_COMMAND = ProblemText(
    "fly.toml", "has a # outside of quotes, which begins a comment for fly deploy: quote it"
)
RELATIVE_DESTINATION = ProblemText("fly.toml", "must be an absolute path")
HALF_GROWTH = ProblemText(
    "fly.toml", "needs auto_extend_size_threshold and auto_extend_size_increment to grow by itself"
)
UNKNOWN_SIZE = ProblemText("fly.toml", "{size!r} is not a size: use one of {sizes}")
WRITTEN_TWICE = ProblemText("fly.toml", "{path} is written twice")
NO_CONTENT = ProblemText("fly.toml", "needs exactly one of local_path, raw_value and secret_name")
UNREADABLE_CONTENT = ProblemText("fly.toml", "{path} cannot be read ({reason})")
LONG_KILL_TIMEOUT = ProblemText("fly.toml", "must be at most {seconds} s")
VOLUME_SIZE = ProblemText("fly.toml", "must be 1gb to {max}gb")


@dataclass(frozen=True, kw_only=True)
class Mount:
    """The volume that fly.toml asks for."""

    source: str
    destination: str
    initial_size_gb: int = 1
    snapshot_retention: int = 5
    scheduled_snapshots: bool = True


@dataclass(frozen=True, kw_only=True)
class AppConfig:
    """The content of fly.toml. With `problems` (`key` is file and line, `fly.toml:12`) the rest is incomplete."""

    path: str
    app: str | None = None
    primary_region: str | None = None
    image: str | None = None
    process_group: str = "app"
    mount: Mount | None = None
    wait_seconds: float = DEPLOY_SECONDS
    document: Config = field(default_factory=dict)
    """The whole file, as it is recorded with a release."""
    config: Config = field(default_factory=dict)
    """The machine config that `fly deploy` renders, without `image` and without the volume's id."""
    problems: tuple[Problem, ...] = ()

    @property
    def env(self) -> dict[str, str]:
        return dict(self.config.get("env", {}))

    @property
    def guest(self) -> Config | None:
        return self.config.get("guest")


def load(path: str | Path) -> AppConfig:
    """Read a fly.toml. Never raises for what is in the file, or for a missing one: see `AppConfig.problems`."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        return AppConfig(path=str(path), problems=(replace(UNREADABLE(reason=reason), key=str(path)),))
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        place = f"{path.name}:{line[1]}" if line else path.name
        problem = replace(NOT_TOML(fault=str(error).split(" (at")[0]), key=place)
        return AppConfig(path=str(path), problems=(problem,))
    read = _Reader(path, Document(path.name, text, document, REFUSED)).read()
    return read if read.problems else replace(read, document=document)


class _Reader:
    """Reads the sections; each method reads one, and returns the part of the machine config that it renders to."""

    def __init__(self, path: Path, document: Document) -> None:
        self._folder, self._path = path.parent, path
        self._document, self._top = document, document.top
        self._group = ProcessGroup()

    def read(self) -> AppConfig:
        top = self._top
        app, region = top.take("app", str), top.take("primary_region", str)
        top.take("console_command", str)  # For `fly console` only.
        image = self._build()
        wait_seconds = self._deploy()
        command = self._processes()
        mount, mounts = self._mounts()
        served = list(services.http_service(top, self._group))
        port_of_http = served[0].get("internal_port") if served else None
        config = {
            "env": self._env(region),
            "init": present(cmd=command, swap_size_mb=top.take("swap_size_mb", int)),
            "services": [*served, *services.services(top, self._group)],
            "checks": services.checks(top, self._group, port_of_http),
            "mounts": mounts,
            "guest": self._guest(),
            "restart": self._restart(),
            "metrics": self._metrics(),
            "files": self._files(),
            "stop_config": self._stop_config(),
            "metadata": {**PLATFORM_METADATA, "fly_process_group": self._group.name},
        }
        top.done()
        return AppConfig(
            path=str(self._path),
            app=app,
            primary_region=region,
            image=image,
            process_group=self._group.name,
            mount=mount,
            wait_seconds=wait_seconds,
            config={key: value for key, value in config.items() if value},
            problems=self._document.problems,
        )

    def _build(self) -> str | None:
        build = self._top.table("build")
        if build is None:
            return None
        image: str | None = build.take("image", str)
        build.done()
        return image

    def _deploy(self) -> float:
        deploy = self._top.table("deploy")
        if deploy is None:
            return DEPLOY_SECONDS
        strategy = deploy.take("strategy", str)
        if strategy in ("canary", "bluegreen"):
            deploy.report(SECOND_MACHINE(strategy=strategy), "strategy")
        elif strategy not in (None, "rolling", "immediate"):
            deploy.report(BAD_STRATEGY(), "strategy")
        deploy.take("max_unavailable", (int, float))  # Has no effect with one machine.
        wait = deploy.duration("wait_timeout")
        deploy.done()
        return seconds_of(wait) if wait else DEPLOY_SECONDS

    def _processes(self) -> list[str] | None:
        section = self._top.table("processes")
        names = list(section.values) if section else []
        if section is None or not names:
            return None
        for extra in names[1:]:
            section.report(SECOND_GROUP(), extra)
        self._group = ProcessGroup(names[0], is_named=True)
        command = section.take(names[0], str, "")
        try:
            words, without_comment = shlex.split(command), shlex.split(command, comments=True)
        except ValueError as error:
            section.report(BAD_COMMAND(fault=error), names[0])
            return None
        if words != without_comment:
            section.report(COMMENT_IN_COMMAND(), names[0])
        return words or None

    def _env(self, region: str | None) -> dict[str, str]:
        section = self._top.table("env")
        env = {}
        for name in list(section.values) if section else ():
            value = section.take(name, (str, int, bool)) if section else None
            env[name] = str(value).lower() if isinstance(value, bool) else str(value)
        env["FLY_PROCESS_GROUP"] = self._group.name
        return {**env, "PRIMARY_REGION": region} if region else env

    def _mounts(self) -> tuple[Mount | None, list[Config]]:
        table = self._top.only("mounts")
        if table is None:
            return None, []
        self._group.take(table)
        source, destination = table.needed("source", str) or "", table.needed("destination", str) or ""
        if destination and not destination.startswith("/"):
            table.report(RELATIVE_DESTINATION(), "destination")
        mount = Mount(
            source=source,
            destination=destination,
            initial_size_gb=_gigabytes(table, "initial_size", MAX_VOLUME_GB, (str, int)) or 1,
            snapshot_retention=table.number("snapshot_retention", 1, 60, "days") or 5,
            scheduled_snapshots=table.take("scheduled_snapshots", bool, True),
        )
        growth = present(
            extend_threshold_percent=table.number("auto_extend_size_threshold", 50, 99, "percent"),
            add_size_gb=_gigabytes(table, "auto_extend_size_increment", MAX_INCREMENT_GB),
            size_gb_limit=_gigabytes(table, "auto_extend_size_limit", MAX_VOLUME_GB),
        )
        if growth and not {"extend_threshold_percent", "add_size_gb"} <= growth.keys():
            table.report(HALF_GROWTH())
        table.done()
        return mount, [{"name": source, "path": destination, **growth}]

    def _guest(self) -> Config | None:
        table = self._top.only("vm")
        if table is None:
            return None
        self._group.take(table)
        size = table.take("size", str)
        guest = _preset(size or "shared-cpu-1x")
        if guest is None:
            sizes = ", ".join(f"{prefix}-{{{','.join(map(str, CPUS[kind]))}}}x" for prefix, kind in PREFIXES.items())
            table.report(UNKNOWN_SIZE(size=size, sizes=sizes), "size")
            guest = {}
        memory, precise = table.size("memory", MB), table.take("memory_mb", int)
        guest |= present(
            cpu_kind=table.take("cpu_kind", str),
            cpus=table.take("cpus", int),
            memory_mb=precise if precise is not None else memory,
        )
        for problem in guest_problems(msgspec.convert(guest, Guest)) if guest else ():
            table.report(problem)
        table.done()
        return guest

    def _restart(self) -> Config | None:
        table = self._top.only("restart", single=False)
        if table is None:
            return None
        self._group.take(table)
        policy = table.one_of("policy", tuple(RESTART), needed=True)
        restart = present(policy=RESTART.get(policy or ""), max_retries=table.take("retries", int) or None)
        table.done()
        return restart

    def _metrics(self) -> Config | None:
        table = self._top.only("metrics")
        if table is None:
            return None
        self._group.take(table)
        metrics = present(port=table.needed("port", int), path=table.take("path", str), https=table.take("https", bool))
        table.done()
        return metrics

    def _files(self) -> list[Config]:
        files: dict[str, Config] = {}
        for table in self._top.tables("files", single=False):
            self._group.take(table)
            path = table.needed("guest_path", str)
            if path in files:
                table.report(WRITTEN_TWICE(path=path), "guest_path")
            files[path or ""] = present(guest_path=path, **self._content(table))
            table.done()
        return list(files.values())

    def _content(self, table: Table) -> dict[str, str]:
        """The content of a file: `raw_value`, in base64, or `secret_name`."""
        given = present(**{name: table.take(name, str) for name in ("local_path", "raw_value", "secret_name")})
        if len([value for value in given.values() if value]) != 1:
            table.report(NO_CONTENT())
            return {}
        if "secret_name" in given:
            return given
        content = given.get("raw_value", "").encode()
        if "local_path" in given:
            try:
                content = (self._folder / given["local_path"]).read_bytes()
            except OSError as error:
                table.report(UNREADABLE_CONTENT(path=given["local_path"], reason=error.strerror), "local_path")
        return {"raw_value": base64.b64encode(content).decode()}

    def _stop_config(self) -> Config:
        signal = self._top.one_of("kill_signal", SIGNALS)
        timeout = self._top.duration("kill_timeout", bare_unit="s")
        if timeout and seconds_of(timeout) > MAX_KILL_SECONDS:
            self._top.report(LONG_KILL_TIMEOUT(seconds=MAX_KILL_SECONDS), "kill_timeout")
        return present(signal=signal, timeout=timeout)


def _gigabytes(table: Table, key: str, max: int, kind: type | tuple[type, ...] = str) -> int | None:
    amount = table.size(key, GB, kind)
    if amount is not None and not 1 <= amount <= max:
        table.report(VOLUME_SIZE(max=max), key)
    return amount


def _preset(size: str) -> Config | None:
    match = re.fullmatch(r"(shared-cpu|performance)-(\d+)x", size)
    if not match or int(match[2]) not in CPUS[PREFIXES[match[1]]]:
        return None
    kind, cpus = PREFIXES[match[1]], int(match[2])
    return {"cpu_kind": kind, "cpus": cpus, "memory_mb": cpus * MEMORY_PER_CPU[kind][0]}
