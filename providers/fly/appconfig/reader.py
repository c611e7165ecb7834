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
from datetime import date, datetime, time
from pathlib import Path

import msgspec
from msgspec.structs import replace

from providers.errors import ProblemText
from providers.fly.api.config_view import Config
from providers.fly.api.durations import seconds_of
from providers.fly.api.guest import CPUS, MEMORY_PER_CPU, Guest, guest_problems
from providers.fly.appconfig import ranges, services
from providers.fly.appconfig.app_config import DEPLOY_SECONDS, RELEASE_SECONDS, AppConfig, Mount, ReleaseCommand
from providers.fly.appconfig.keys import BUILD, REFUSED, UNUSED
from providers.fly.appconfig.services import ProcessGroup, present
from providers.fly.appconfig.tables import GB, MB, Document, Table
from providers.fly.safe_update.machine_config import PLATFORM_METADATA

SIGNALS = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGTERM")
RESTART = {"always": "always", "on-failure": "on-failure", "never": "no"}
PREFIXES = {"shared-cpu": "shared", "performance": "performance"}
"""Prefix of a size's name, and its kind of CPU."""
RELEASE_GROUP = "fly_app_release_command"
"""The process group of the machines that run a release command."""
RELEASE_INIT = ("swap_size_mb", "entrypoint")
MAX_KILL_SECONDS = 300
MAX_VOLUME_GB, MAX_INCREMENT_GB = 500, 100
STRATEGIES = ("rolling", "immediate", "bluegreen", "canary")

UNREADABLE = ProblemText("fly.toml", "cannot be read ({reason})")
NOT_TOML = ProblemText("fly.toml", "is not valid TOML: {fault}")
SECOND_MACHINE = ProblemText(
    "fly.toml",
    "{strategy!r} starts a second machine beside the first, and a volume can be attached to one machine only: use rolling or "
    "immediate",
)
SEVERAL_GROUPS = ProblemText(
    "fly.toml",
    "has {count} process groups ({names}), and one is supported, on one machine: run each further one as an app of its own, with a "
    "fly.toml of its own",
)
BAD_ENV = ProblemText("fly.toml", "must be a string, a number, or true or false")
BAD_COMMAND = ProblemText("fly.toml", "cannot be split into words: {fault}")
COMMENT_IN_COMMAND = ProblemText(
    "fly.toml", "has a # outside of quotes, which begins a comment for fly deploy: quote it"
)
BAD_WORDS = ProblemText("fly.toml", "must be a string or a list of strings")
RELATIVE_STATICS = ProblemText(
    "fly.toml",
    "{path} is not an absolute path in the image, so `fly deploy` would upload those files to a bucket of its own: "
    "serve them from the image",
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


def load(path: str | Path) -> AppConfig:
    """Read a fly.toml. Never raises for what is in the file, or for a missing one: see `AppConfig.problems`."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        problem = replace(UNREADABLE(reason=reason), key=str(path))
        return AppConfig(path=str(path), problems=(problem,), damaged=None)
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        line = re.search(r"at line (\d+)", str(error))
        place = f"{path.name}:{line[1]}" if line else path.name
        problem = replace(NOT_TOML(fault=str(error).split(" (at")[0]), key=place)
        return AppConfig(path=str(path), problems=(problem,), damaged=None)
    read_from = Document(path.name, text, document, REFUSED, UNUSED)
    ranges.check(read_from, document)
    read = _Reader(path, read_from).read()
    return read if read.problems else replace(read, document=document)


class _Reader:
    """Reads the sections; each method reads one, and returns the part of the machine config that it renders to."""

    def __init__(self, path: Path, document: Document) -> None:
        self._folder, self._path = path.parent, path
        self._document, self._top = document, document.top
        self._group = ProcessGroup()
        self._experimental = self._top.table("experimental") or Table(document, {}, ("experimental",))

    def read(self) -> AppConfig:
        top = self._top
        app, region = top.take("app", str), top.take("primary_region", str)
        top.take("console_command", str)  # For `fly console` only.
        image = self._build()
        commands = self._commands()
        if len(commands) > 1:
            names = ", ".join(sorted(commands))
            self._document.report(("processes",), SEVERAL_GROUPS(count=len(commands), names=names))
            problems = self._document.problems
            return AppConfig(path=str(self._path), app=app, primary_region=region, problems=problems, damaged=None)
        init = self._init(commands)
        mount, mounts = self._mounts()
        wait_seconds, strategy, release = self._deploy(has_volume=mount is not None)
        served = list(services.http_service(top, self._group))
        paths = ["http_service"] * len(served)
        more = list(services.services(top, self._group))
        env, files, stop_config = self._env(), self._files(), self._stop_config()
        own = {"PRIMARY_REGION": region} if region else {}
        config = {
            "env": {**env, "FLY_PROCESS_GROUP": self._group.name, **own},
            "init": init,
            "services": [*served, *more],
            "checks": services.checks(top, self._group, served[0] if served else None),
            "statics": self._statics(),
            "mounts": mounts,
            "guest": self._guest(),
            "restart": self._restart(),
            "metrics": self._metrics(),
            "files": files,
            "stop_config": stop_config,
            "metadata": {**PLATFORM_METADATA, "fly_process_group": self._group.name},
        }
        self._experimental.done()
        top.done()
        if release:
            alike = {
                "env": {**env, "RELEASE_COMMAND": "1", "FLY_PROCESS_GROUP": RELEASE_GROUP, **own},
                "files": files,
                "stop_config": stop_config,
                "init": present(**release.config["init"], **{key: init[key] for key in RELEASE_INIT if key in init}),
            }
            filled = {**release.config, **{key: value for key, value in alike.items() if value}}
            release = replace(release, config=filled)
        return AppConfig(
            path=str(self._path),
            app=app,
            primary_region=region,
            image=image,
            process_group=self._group.name,
            mount=mount,
            wait_seconds=wait_seconds,
            config={key: value for key, value in config.items() if value},
            release=release,
            strategy=strategy,
            problems=self._document.problems,
            damaged=frozenset(self._document.damaged),
            warnings=self._document.warnings,
            lines=self._document.line,
            service_paths=(*paths, *(f"services[{index}]" for index in range(len(more)))),
        )

    def _build(self) -> str | None:
        build = self._top.table("build")
        if build is None:
            return None
        image: str | None = build.values.get("image")
        if "compose" in build.values:
            build.done()
        else:
            build.unused(BUILD)
        return image

    def _deploy(self, *, has_volume: bool) -> tuple[float, str, ReleaseCommand | None]:
        """How long an update may take, its strategy, and the command that runs before it."""
        deploy = self._top.table("deploy")
        if deploy is None:
            return DEPLOY_SECONDS, STRATEGIES[0], None
        strategy = deploy.one_of("strategy", STRATEGIES) or STRATEGIES[0]
        if has_volume and strategy in ("canary", "bluegreen"):
            deploy.report(SECOND_MACHINE(strategy=strategy), "strategy")
        deploy.take("max_unavailable", (int, float))  # Has no effect with one machine.
        wait = deploy.duration("wait_timeout")
        release = self._release_command(deploy)
        deploy.done()
        return seconds_of(wait) if wait else DEPLOY_SECONDS, strategy, release

    def _release_command(self, deploy: Table) -> ReleaseCommand | None:
        command = deploy.take("release_command", str, "")
        timeout = deploy.duration("release_command_timeout")
        vm = deploy.table("release_command_vm")
        guest = self._guest_of(vm) if vm else None
        words = _words(deploy, "release_command", command)
        if not words:
            return None
        config = {
            "init": {"cmd": words},
            "restart": {"policy": "no"},
            "auto_destroy": True,
            "dns": {"skip_registration": True},
            "metadata": {**PLATFORM_METADATA, "fly_process_group": RELEASE_GROUP},
            **present(guest=guest),
        }
        seconds = seconds_of(timeout) if timeout else RELEASE_SECONDS
        return ReleaseCommand(command=command, config=config, seconds=seconds)

    def _commands(self) -> dict[str, str]:
        """The command of each process group; older files have a list of groups."""
        if not isinstance(self._top.values.get("processes"), list):
            section = self._top.table("processes")
            return {name: section.take(name, str, "") for name in list(section.values)} if section else {}
        groups = {}
        for table in self._top.tables("processes"):
            if name := table.take("name", str):
                groups[name] = table.take("command", str, "")
            table.done()
        return groups

    def _init(self, commands: dict[str, str]) -> Config:
        """What runs in the machine: the command of [processes], or what [experimental] says."""
        words = None
        for name, command in commands.items():
            self._group = ProcessGroup(name, is_named=True)
            words = _words(Table(self._document, {}, ("processes",)), name, command)
        older = {name: _listed(self._experimental, name) for name in ("cmd", "entrypoint", "exec")}
        return present(
            cmd=words or older["cmd"],
            entrypoint=older["entrypoint"],
            exec=older["exec"],
            swap_size_mb=self._top.take("swap_size_mb", int),
        )

    def _env(self) -> dict[str, str]:
        env = {}
        for section in self._top.tables("env"):
            for name in list(section.values):
                value = section.take(name, (str, int, float, bool, list, dict, date, datetime, time))
                if isinstance(value, str | int | float):
                    env[name] = services.text(value)
                else:
                    section.report(BAD_ENV(), name)
        return env

    def _statics(self) -> list[Config]:
        """Files of the image that Fly Proxy serves by itself."""
        found = []
        for table in self._top.tables("statics", single=False):
            static = present(
                guest_path=table.needed("guest_path", str),
                url_prefix=table.needed("url_prefix", str),
                tigris_bucket=table.take("tigris_bucket", str, ""),
                index_document=table.take("index_document", str),
            )
            path = static.get("guest_path", "/")
            if not path.startswith("/") and not static["tigris_bucket"]:
                table.report(RELATIVE_STATICS(path=path), "guest_path")
            table.done()
            found.append(static)
        return found

    def _mounts(self) -> tuple[Mount | None, list[Config]]:
        table = self._top.only("mount", "mounts")
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
            table.report_missing(HALF_GROWTH(), "auto_extend_size_threshold", "auto_extend_size_increment")
        table.done()
        return mount, [{"name": source, "path": destination, **growth}]

    def _guest(self) -> Config | None:
        """The size of the machine: of several [[vm]], the one that names the process group, otherwise the first."""
        tables = self._top.tables("compute", "computes", "vm")
        named = [table for table in tables if self._group.name in (table.values.get("processes") or ())]
        chosen = (named[-1:] or tables[:1]) if tables else []
        guests = []
        for table in tables:
            self._group.take(table)
            guests.append(self._guest_of(table))
        return next((guest for table, guest in zip(tables, guests, strict=True) if table in chosen), None)

    def _guest_of(self, table: Table) -> Config:
        size = table.take("size", str)
        preset = _preset(size or "shared-cpu-1x")
        if preset is None:
            sizes = ", ".join(f"{prefix}-{{{','.join(map(str, CPUS[kind]))}}}x" for prefix, kind in PREFIXES.items())
            table.report(UNKNOWN_SIZE(size=size, sizes=sizes), "size")
        memory, precise = table.size("memory", MB), table.take("memory_mb", int)
        guest = (preset or {}) | present(
            cpu_kind=table.take("cpu_kind", str),
            cpus=table.take("cpus", int) or None,
            memory_mb=precise or memory,
        )
        for problem in guest_problems(msgspec.convert(guest, Guest)) if preset else ():
            table.report(problem)
        table.done()
        return guest

    def _restart(self) -> Config | None:
        """Of several [[restart]], the last."""
        restart: Config | None = None
        for table in self._top.tables("restart", single=False):
            self._group.take(table)
            policy = table.one_of("policy", tuple(RESTART), needed=True)
            restart = present(policy=RESTART.get(policy or ""), max_retries=table.take("retries", int) or None)
            table.done()
        return restart

    def _metrics(self) -> Config | None:
        """Of several [[metrics]], the first; older files have them in [experimental]."""
        older = present(
            port=self._experimental.take("metrics_port", int), path=self._experimental.take("metrics_path", str)
        )
        found = []
        for table in self._top.tables("metric", "metrics"):
            self._group.take(table)
            found.append(
                present(port=table.needed("port", int), path=table.take("path", str), https=table.take("https", bool))
            )
            table.done()
        return found[0] if found else older or None

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
        names = ("local_path", "raw_value", "secret_name")
        given = present(**{name: table.take(name, str) for name in names})
        if len([value for value in given.values() if value]) != 1:
            table.report_missing(NO_CONTENT(), *names)
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
        older = self._experimental.duration("kill_timeout", bare_unit="s")
        timeout = self._top.duration("kill_timeout", bare_unit="s") or older
        if timeout and seconds_of(timeout) > MAX_KILL_SECONDS:
            self._top.report(LONG_KILL_TIMEOUT(seconds=MAX_KILL_SECONDS), "kill_timeout")
        return present(signal=signal, timeout=timeout)


def _words(table: Table, key: str, command: str) -> list[str] | None:
    """The words of a command, as flyctl splits them."""
    try:
        words, without_comment = shlex.split(command), shlex.split(command, comments=True)
    except ValueError as error:
        table.report(BAD_COMMAND(fault=error), key)
        return None
    if words != without_comment:
        table.report(COMMENT_IN_COMMAND(), key)
    return words or None


def _listed(table: Table, key: str) -> list[str] | None:
    """The words of `key`, which can be one word; not split."""
    value = table.take(key, (str, list))
    words = [value] if isinstance(value, str) else value
    if words and not all(isinstance(word, str) for word in words):
        table.report(BAD_WORDS(), key)
    return words


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
