"""fly.toml: read with line numbers, and rendered to the machine config that `fly deploy` renders. Pure.

Every section that matters to a server app with one process group is read. A section that cannot mean here what it means to
flyctl is refused by name and line, with the reason; so is an unknown key. All problems are reported at once.

The rendering follows flyctl (fly.md, section 14.3). Two things are left to who deploys: the image, and which volume is mounted.
"""

import base64
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from providers.fly.machine_config import PLATFORM_METADATA, guest_problems, seconds_of

PATTERN_OF_SIZE = re.compile(r"(\d+)\s*([a-z]*)", re.IGNORECASE)
GB_PER_UNIT = {"": 1, "g": 1, "gb": 1, "gib": 1, "t": 1000, "tb": 1000}
MB_PER_UNIT = {"": 1, "m": 1, "mb": 1, "mib": 1, "g": 1024, "gb": 1024, "gib": 1024}
SIGNALS = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGTERM")
AUTOSTOP = {"off": False, "stop": True, "suspend": "suspend", False: False, True: True}
RESTART = {"always": "always", "on-failure": "on-failure", "never": "no"}
MAX_KILL_SECONDS = 300
DEPLOY_SECONDS = 300.0

REFUSED = {
    "statics": "files are served from the image: leave it out",
    "experimental": "it has no stable meaning: leave it out",
    "machine_config": "this file is the machine definition: leave it out",
    "container": "one container a machine is supported: leave it out",
    "host_dedication_id": "dedicated hosts are not supported: leave it out",
    "machine_checks": "they need a second machine, which has no volume: use checks",
    "build.*": "the image is built before the launch, and named in the stack's config (only `image` is read here)",
    "deploy.release_command": "it runs on a machine without the volume: migrate the database when the server starts",
    "deploy.release_command_timeout": "there is no release_command",
    "deploy.release_command_vm": "there is no release_command",
    "deploy.seed_command": "it runs on a machine without the volume: seed the database when the server starts",
    "http_service.machine_checks": "they need a second machine, which has no volume: use checks",
    "services.machine_checks": "they need a second machine, which has no volume: use checks",
    "vm.gpu_kind": "GPUs are not supported",
    "vm.gpus": "GPUs are not supported",
}
"""Keys that flyctl knows and that cannot work here, and why."""


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
    """What fly.toml says. With `problems` (each "fly.toml:LINE: …") the rest is incomplete."""

    path: str
    app: str | None = None
    primary_region: str | None = None
    image: str | None = None
    process_group: str = "app"
    mount: Mount | None = None
    wait_seconds: float = DEPLOY_SECONDS
    config: dict[str, Any] = field(default_factory=dict)
    """The machine config that `fly deploy` renders, without `image` and without the volume's id."""
    problems: tuple[str, ...] = ()

    @property
    def env(self) -> dict[str, str]:
        return dict(self.config.get("env", {}))

    @property
    def guest(self) -> dict[str, Any] | None:
        return self.config.get("guest")


def load(path: str | Path) -> AppConfig:
    """Read a fly.toml. Never raises for what is in the file, or for a missing one: see `AppConfig.problems`."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return AppConfig(
            path=str(path), problems=(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})",)
        )
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        place = f"{path.name}:{line[1]}" if line else path.name
        return AppConfig(path=str(path), problems=(f"{place}: {str(error).split(' (at')[0]}",))
    return _Reader(path, document, line_numbers(text)).read()


def line_numbers(text: str) -> dict[tuple[str, ...], int]:
    """The line of each table and key, as `("http_service", "checks[0]", "path")`; arrays of tables are counted from 0.

    tomllib tells none. This reads headers and `key =` lines, skipping multi-line strings and arrays; a key inside an inline
    table has the line of the table.
    """
    lines: dict[tuple[str, ...], int] = {}
    counts: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    depth, quotes = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        inside = bool(depth or quotes)
        bare, quotes = _without_strings(line, quotes)
        header = re.match(r"\s*(\[{1,2})\s*([^\]]+?)\s*\]", line)
        key = re.match(r"""\s*("[^"]*"|'[^']*'|[\w-]+)((?:\s*\.\s*[\w"'-]+)*)\s*=""", line)
        if not inside and header:
            table = _header(header[2], counts, counted=header[1] == "[[")
            lines.setdefault(table, number)
        elif not inside and key:
            parts = (key[1] + key[2]).split(".")
            for end in range(1, len(parts) + 1):
                lines.setdefault((*table, *(part.strip(" \t\"'") for part in parts[:end])), number)
            depth += bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}")
        elif inside:
            depth += bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}")
    return lines


def _header(text: str, counts: dict[tuple[str, ...], int], *, counted: bool) -> tuple[str, ...]:
    path: tuple[str, ...] = ()
    parts = [part.strip(" \t\"'") for part in text.split(".")]
    for index, part in enumerate(parts):
        plain = (*path, part)
        if counted and index == len(parts) - 1:
            counts[plain] = counts.get(plain, -1) + 1
        path = (*path, f"{part}[{counts[plain]}]") if plain in counts else plain
    return path


def _without_strings(line: str, quotes: str) -> tuple[str, str]:
    """The line without its strings and comment, and the delimiter of a multi-line string that goes on after it."""
    rest, bare = line, ""
    while rest:
        if quotes:
            _, found, rest = rest.partition(quotes)
            if not found:
                return bare, quotes
            quotes = ""
        token = re.search(r"\"\"\"|'''|\"(?:\\.|[^\"\\])*\"|'[^']*'|#", rest)
        if not token or token[0] == "#":
            return bare + (rest[: token.start()] if token else rest), ""
        bare, rest = bare + rest[: token.start()], rest[token.end() :]
        quotes = token[0] if token[0] in ('"""', "'''") else ""
    return bare, quotes


class _Table:
    """One table of the file while it is read: gives each key once, and notes what is wrong or left over."""

    def __init__(self, reader: "_Reader", values: Any, path: tuple[str, ...]) -> None:
        self._reader, self.path = reader, path
        self.values = dict(values) if isinstance(values, dict) else {}
        if not isinstance(values, dict):
            self.problem("must be a table")

    def problem(self, text: str, key: str | None = None) -> None:
        self._reader.problem(self.path if key is None else (*self.path, key), text)

    def take(self, key: str, kind: type | tuple[type, ...], default: Any = None) -> Any:
        """The value of `key` if it is of `kind`; a boolean is no number."""
        if key not in self.values:
            return default
        value = self.values.pop(key)
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            names = {
                str: "a string",
                int: "a whole number",
                bool: "true or false",
                dict: "a table",
                list: "a list",
                float: "a number",
            }
            self.problem(f"must be {' or '.join(names[one] for one in kinds)}", key)
            return default
        return value

    def one_of(self, key: str, allowed: tuple[str, ...]) -> str | None:
        value: str | None = self.take(key, str)
        if value is not None and value not in allowed:
            self.problem(f"must be one of {', '.join(allowed)}", key)
        return value

    def needed(self, key: str, kind: type) -> Any:
        if key not in self.values:
            self.problem(f"{key} is missing")
        return self.take(key, kind)

    def duration(self, key: str) -> str | None:
        value: str | None = self.take(key, str)
        try:
            if value is not None:
                seconds_of(value)
        except ValueError as error:
            self.problem(str(error), key)
            return None
        return value

    def size(self, key: str, units: dict[str, int]) -> int | None:
        value = self.take(key, (str, int))
        if value is None:
            return None
        match = PATTERN_OF_SIZE.fullmatch(str(value).strip())
        if not match or match[2].lower() not in units:
            self.problem(f"{value!r} is no size: write it like {'512mb' if units is MB_PER_UNIT else '10gb'}", key)
            return None
        return int(match[1]) * units[match[2].lower()]

    def tables(self, key: str) -> list["_Table"]:
        """The tables `[[key]]`; a single `[key]` counts as a list of one, as in flyctl."""
        found = self.take(key, (list, dict), [])
        if isinstance(found, dict):
            return [_Table(self._reader, found, (*self.path, key))]
        return [_Table(self._reader, item, (*self.path, f"{key}[{index}]")) for index, item in enumerate(found)]

    def table(self, key: str) -> "_Table | None":
        found = self.take(key, dict)
        return None if found is None else _Table(self._reader, found, (*self.path, key))

    def only(self, key: str) -> "_Table | None":
        """The one table `[[key]]`, all others being refused."""
        found = self.tables(key)
        for more in found[1:]:
            more.problem(f"only one [[{key}]] is supported, for one machine")
        return found[0] if found else None

    def done(self) -> None:
        """Refuse what nobody took."""
        section = ".".join(re.sub(r"\[\d+\]", "", part) for part in self.path)
        for key in self.values:
            name = f"{section}.{key}".lstrip(".")
            reason = REFUSED.get(name) or REFUSED.get(f"{section}.*")
            self.problem(f"is not supported: {reason}" if reason else "is unknown", key)


class _Reader:
    def __init__(self, path: Path, document: dict[str, Any], lines: dict[tuple[str, ...], int]) -> None:
        self._path, self._lines = path, lines
        self._problems: list[tuple[int, str]] = []
        self._top = _Table(self, document, ())
        self._group = "app"
        self._internal_port: int | None = None
        """Of [http_service]: a top-level check without a port takes it, as in flyctl."""

    def problem(self, path: tuple[str, ...], text: str) -> None:
        line = next((self._lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self._lines), 1)
        where = " ".join(
            part for part in [f"[{'.'.join(path[:-1])}]" if path[:-1] else "", path[-1] if path else ""] if part
        )
        self._problems.append((line, f"{self._path.name}:{line}: {where} {text}"))

    def read(self) -> AppConfig:
        top = self._top
        app, region = top.take("app", str), top.take("primary_region", str)
        top.take("console_command", str)  # For `fly console` only.
        image = self._build()
        wait_seconds = self._deploy()
        command = self._processes()
        mount, mounts = self._mounts()
        config = {
            "env": self._env(region),
            "init": _present(cmd=command, swap_size_mb=top.take("swap_size_mb", int)),
            "services": [*self._http_service(), *self._services()],
            "checks": self._checks(),
            "mounts": mounts,
            "guest": self._guest(),
            "restart": self._restart(),
            "metrics": self._metrics(),
            "files": self._files(),
            "stop_config": self._stop_config(),
            "metadata": {**PLATFORM_METADATA, "fly_process_group": self._group},
        }
        top.done()
        return AppConfig(
            path=str(self._path),
            app=app,
            primary_region=region,
            image=image,
            process_group=self._group,
            mount=mount,
            wait_seconds=wait_seconds,
            config={key: value for key, value in config.items() if value},
            problems=tuple(text for _, text in sorted(self._problems)),
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
            deploy.problem(
                f"{strategy!r} needs a second machine, and a volume has only one: use rolling or immediate", "strategy"
            )
        elif strategy not in (None, "rolling", "immediate"):
            deploy.problem("must be rolling or immediate", "strategy")
        deploy.take("max_unavailable", (int, float))  # Means nothing with one machine.
        wait = deploy.duration("wait_timeout")
        deploy.done()
        return seconds_of(wait) if wait else DEPLOY_SECONDS

    def _processes(self) -> list[str] | None:
        processes = self._top.take("processes", dict, {})
        for extra in list(processes)[1:]:
            self.problem(("processes", extra), "is a second process group: one group on one machine is supported")
        if not processes:
            return None
        self._group, command = next(iter(processes.items()))
        if not isinstance(command, str):
            self.problem(("processes", self._group), "must be a string")
            return None
        try:
            return shlex.split(command) or None
        except ValueError as error:
            self.problem(("processes", self._group), f"cannot be split into words: {error}")
            return None

    def _in_group(self, table: _Table) -> None:
        for group in table.take("processes", list, []):
            if group != self._group:
                table.problem(f"names the process group {group!r}, but there is only {self._group!r}", "processes")

    def _env(self, region: str | None) -> dict[str, str]:
        env = {}
        for name, value in self._top.take("env", dict, {}).items():
            if isinstance(value, dict | list):
                self.problem(("env", name), "must be a string")
            else:
                env[name] = str(value).lower() if isinstance(value, bool) else str(value)
        env["FLY_PROCESS_GROUP"] = self._group
        return {**env, "PRIMARY_REGION": region} if region else env

    def _mounts(self) -> tuple[Mount | None, list[dict[str, Any]]]:
        table = self._top.only("mounts")
        if table is None:
            return None, []
        self._in_group(table)
        source, destination = table.needed("source", str) or "", table.needed("destination", str) or ""
        if destination and not destination.startswith("/"):
            table.problem("must be an absolute path", "destination")
        retention = table.take("snapshot_retention", int, 5)
        if not 1 <= retention <= 60:
            table.problem("must be 1 to 60 days", "snapshot_retention")
        mount = Mount(
            source=source,
            destination=destination,
            initial_size_gb=table.size("initial_size", GB_PER_UNIT) or 1,
            snapshot_retention=retention,
            scheduled_snapshots=table.take("scheduled_snapshots", bool, True),
        )
        rendered = _present(
            name=source,
            path=destination,
            extend_threshold_percent=table.take("auto_extend_size_threshold", int),
            add_size_gb=table.size("auto_extend_size_increment", GB_PER_UNIT),
            size_gb_limit=table.size("auto_extend_size_limit", GB_PER_UNIT),
        )
        table.done()
        return mount, [rendered]

    def _http_service(self) -> Iterator[dict[str, Any]]:
        table = self._top.table("http_service")
        if table is None:
            return
        force_https = table.take("force_https", bool)
        options, tls = table.take("http_options", dict), table.take("tls_options", dict)
        checks = [_service_check(check, "http") for check in table.tables("checks")]
        service = self._service(table, checks)
        self._internal_port = service.get("internal_port")
        service["protocol"] = "tcp"
        service["ports"] = [
            _present(port=80, handlers=["http"], force_https=force_https or None, http_options=options),
            _present(port=443, handlers=["tls", "http"], http_options=options, tls_options=tls),
        ]
        table.done()
        yield service

    def _services(self) -> Iterator[dict[str, Any]]:
        for table in self._top.tables("services"):
            protocol = table.one_of("protocol", ("tcp", "udp")) or "tcp"
            ports = []
            for port in table.tables("ports"):
                ports.append(
                    _present(
                        port=port.take("port", int),
                        start_port=port.take("start_port", int),
                        end_port=port.take("end_port", int),
                        handlers=port.take("handlers", list),
                        force_https=port.take("force_https", bool) or None,
                        http_options=port.take("http_options", dict),
                        tls_options=port.take("tls_options", dict),
                        proxy_proto_options=port.take("proxy_proto_options", dict),
                    )
                )
                port.done()
            checks = [_service_check(check, "tcp") for check in table.tables("tcp_checks")]
            checks += [_service_check(check, "http") for check in table.tables("http_checks")]
            service = self._service(table, checks)
            table.done()
            yield {**service, "protocol": protocol, **({"ports": ports} if ports else {})}

    def _service(self, table: _Table, checks: list[dict[str, Any]]) -> dict[str, Any]:
        self._in_group(table)
        autostop = table.take("auto_stop_machines", (str, bool))
        if autostop not in (None, *AUTOSTOP):
            table.problem("must be off, stop or suspend", "auto_stop_machines")
        return _present(
            internal_port=table.needed("internal_port", int),
            autostop=AUTOSTOP.get(autostop),
            autostart=table.take("auto_start_machines", bool),
            min_machines_running=table.take("min_machines_running", int),
            concurrency=_concurrency(table),
            checks=checks or None,
        )

    def _checks(self) -> dict[str, Any]:
        checks = {}
        for name, values in self._top.take("checks", dict, {}).items():
            table = _Table(self, values, ("checks", name))
            self._in_group(table)
            kind = table.one_of("type", ("http", "tcp"))
            if kind is None:
                table.problem("type is missing: http or tcp")
            port = table.take("port", int, self._internal_port)
            if port is None:
                table.problem("port is missing, and there is no [http_service] to take it from")
            purpose = table.one_of("kind", ("informational", "readiness"))
            checks[name] = _present(port=port, kind=purpose, **_service_check(table, kind or "tcp"))
        return checks

    def _guest(self) -> dict[str, Any] | None:
        table = self._top.only("vm")
        if table is None:
            return None
        self._in_group(table)
        size = table.take("size", str)
        guest = _preset(size or "shared-cpu-1x")
        if guest is None:
            table.problem(f"{size!r} is no size: use shared-cpu-1x to -8x or performance-1x to -16x", "size")
            guest = {}
        given = _present(
            cpu_kind=table.take("cpu_kind", str),
            cpus=table.take("cpus", int),
            memory_mb=table.size("memory", MB_PER_UNIT) or table.take("memory_mb", int),
        )
        table.values.pop("memory_mb", None)
        guest |= given
        for problem in guest_problems(guest) if guest else ():
            table.problem(problem)
        table.done()
        return guest

    def _restart(self) -> dict[str, Any] | None:
        table = self._top.only("restart")
        if table is None:
            return None
        self._in_group(table)
        policy = table.one_of("policy", tuple(RESTART))
        restart = _present(policy=RESTART.get(policy or "on-failure"), max_retries=table.take("retries", int))
        table.done()
        return restart

    def _metrics(self) -> dict[str, Any] | None:
        table = self._top.only("metrics")
        if table is None:
            return None
        self._in_group(table)
        metrics = _present(
            port=table.needed("port", int), path=table.take("path", str), https=table.take("https", bool)
        )
        table.done()
        return metrics

    def _files(self) -> list[dict[str, Any]]:
        files = []
        for table in self._top.tables("files"):
            self._in_group(table)
            local, raw, secret = (
                table.take("local_path", str),
                table.take("raw_value", str),
                table.take("secret_name", str),
            )
            if [local, raw, secret].count(None) != 2:
                table.problem("needs exactly one of local_path, raw_value and secret_name")
            content = raw.encode() if raw is not None else None
            if local is not None:
                try:
                    content = (self._path.parent / local).read_bytes()
                except OSError as error:
                    table.problem(f"{local} cannot be read ({error.strerror})", "local_path")
            encoded = base64.b64encode(content).decode() if content is not None else None
            files.append(_present(guest_path=table.needed("guest_path", str), raw_value=encoded, secret_name=secret))
            table.done()
        return files

    def _stop_config(self) -> dict[str, Any]:
        signal = self._top.one_of("kill_signal", SIGNALS)
        timeout = self._top.take("kill_timeout", (int, str))
        text = f"{timeout}s" if isinstance(timeout, int) else timeout
        try:
            if text is not None and seconds_of(text) > MAX_KILL_SECONDS:
                self.problem(("kill_timeout",), f"must be at most {MAX_KILL_SECONDS} s")
        except ValueError as error:
            self.problem(("kill_timeout",), str(error))
        return _present(signal=signal, timeout=text)


def _service_check(table: _Table, kind: str) -> dict[str, Any]:
    headers = table.take("headers", dict, {})
    check = _present(
        type=kind,
        interval=table.duration("interval"),
        timeout=table.duration("timeout"),
        grace_period=table.duration("grace_period"),
        method=table.take("method", str),
        path=table.take("path", str),
        protocol=table.one_of("protocol", ("http", "https")),
        tls_skip_verify=table.take("tls_skip_verify", bool),
        tls_server_name=table.take("tls_server_name", str),
        headers=[{"name": name, "values": [value]} for name, value in sorted(headers.items())] or None,
    )
    table.done()
    return check


def _concurrency(table: _Table) -> dict[str, Any] | None:
    limits = table.table("concurrency")
    if limits is None:
        return None
    concurrency = _present(
        type=limits.one_of("type", ("connections", "requests")),
        soft_limit=limits.take("soft_limit", int),
        hard_limit=limits.take("hard_limit", int),
    )
    limits.done()
    return concurrency


def _preset(size: str) -> dict[str, Any] | None:
    match = re.fullmatch(r"(shared-cpu|performance)-(1|2|4|8|16)x", size)
    if not match:
        return None
    kind, cpus = match[1].removesuffix("-cpu"), int(match[2])
    return {"cpu_kind": kind, "cpus": cpus, "memory_mb": cpus * (256 if kind == "shared" else 2048)}


def _present(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
