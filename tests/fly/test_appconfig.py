"""fly.toml: rendered as `fly deploy` renders it; every problem has its key and line."""

import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from providers.fly.appconfig import AppConfig, load
from tests.fly.flytoml import EVERYTHING, RENDERED

ROOT = Path(__file__).resolve().parents[2]
Load = Callable[[str], AppConfig]


@pytest.fixture
def read(tmp_path: Path) -> Load:
    """Reads a text as the fly.toml of a folder that has a file `motd`."""
    (tmp_path / "motd").write_text("hello")

    def of(text: str) -> AppConfig:
        (tmp_path / "fly.toml").write_text(text)
        return load(tmp_path / "fly.toml")

    return of


def test_renders_like_fly_deploy(read: Load) -> None:
    parsed = read(EVERYTHING)

    assert parsed.problems == ()
    assert parsed.config == RENDERED


def test_app_level_sections(read: Load) -> None:
    parsed = read(EVERYTHING)

    assert (parsed.app, parsed.primary_region, parsed.image) == ("solos-prod", "sjc", "registry.fly.io/solserver:1.0.0")
    assert parsed.wait_seconds == 600.0
    assert parsed.mount
    assert (parsed.mount.source, parsed.mount.destination, parsed.mount.initial_size_gb) == ("solos_data", "/data", 10)
    assert (parsed.mount.snapshot_retention, parsed.mount.scheduled_snapshots) == (14, False)
    assert parsed.document == tomllib.loads(EVERYTHING)


def test_production_file_is_valid() -> None:
    parsed = load(ROOT / "fly.toml")

    assert parsed.problems == ()
    assert parsed.config["metadata"] == {"fly_platform_version": "v2", "fly_process_group": "app"}


def test_smallest_file(read: Load) -> None:
    parsed = read('app = "solos-prod"\n')

    assert parsed.problems == ()
    assert parsed.config == {
        "env": {"FLY_PROCESS_GROUP": "app"},
        "metadata": {"fly_platform_version": "v2", "fly_process_group": "app"},
    }


@pytest.mark.parametrize(
    ("spelling", "rendered"),
    [('"off"', False), ("false", False), ('"stop"', True), ("true", True), ('"suspend"', "suspend")],
)
def test_forms_of_autostop(read: Load, spelling: str, rendered: Any) -> None:
    parsed = read(f"[http_service]\ninternal_port = 8080\nauto_stop_machines = {spelling}\n")

    assert parsed.config["services"][0]["autostop"] == rendered


@pytest.mark.parametrize(
    ("vm", "guest"),
    [
        ("", {"cpu_kind": "shared", "cpus": 1, "memory_mb": 256}),
        ('size = "shared-cpu-2x"', {"cpu_kind": "shared", "cpus": 2, "memory_mb": 512}),
        ('size = "shared-cpu-6x"', {"cpu_kind": "shared", "cpus": 6, "memory_mb": 1536}),
        ('memory = "512mb"\nmemory_mb = 1024', {"cpu_kind": "shared", "cpus": 1, "memory_mb": 1024}),
        ('memory = "1.5gb"', {"cpu_kind": "shared", "cpus": 1, "memory_mb": 1536}),
        ('size = "performance-4x"', {"cpu_kind": "performance", "cpus": 4, "memory_mb": 8192}),
        ('memory = "1gb"', {"cpu_kind": "shared", "cpus": 1, "memory_mb": 1024}),
        ("memory = 512", {"cpu_kind": "shared", "cpus": 1, "memory_mb": 512}),
        ('cpu_kind = "performance"\nmemory_mb = 4096', {"cpu_kind": "performance", "cpus": 1, "memory_mb": 4096}),
    ],
)
def test_machine_sizes(read: Load, vm: str, guest: dict[str, Any]) -> None:
    parsed = read(f"[[vm]]\n{vm}\n")

    assert parsed.problems == ()
    assert parsed.guest == guest


@pytest.mark.parametrize(("policy", "rendered"), [("always", "always"), ("on-failure", "on-failure"), ("never", "no")])
def test_restart_policies(read: Load, policy: str, rendered: str) -> None:
    assert read(f'[[restart]]\npolicy = "{policy}"\n').config["restart"] == {"policy": rendered}


def test_check_inherits_port(read: Load) -> None:
    parsed = read('[http_service]\ninternal_port = 3000\n\n[checks.alive]\ntype = "tcp"\n')

    assert parsed.config["checks"] == {"alive": {"type": "tcp", "port": 3000}}


@pytest.mark.parametrize("seconds", ["kill_timeout = 45", 'kill_timeout = "45s"'])
def test_kill_timeout_in_seconds(read: Load, seconds: str) -> None:
    assert read(seconds).config["stop_config"] == {"timeout": "45s"}


def test_named_process_group(read: Load) -> None:
    parsed = read('[processes]\nweb = "node dist/server.js --flag \'two words\'"\n[[vm]]\nprocesses = ["web"]\n')

    assert parsed.process_group == "web"
    assert parsed.config["init"] == {"cmd": ["node", "dist/server.js", "--flag", "two words"]}
    assert parsed.config["env"] == {"FLY_PROCESS_GROUP": "web"}
    assert parsed.config["metadata"]["fly_process_group"] == "web"


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ('[deploy]\nrelease_command = "a \'b"', 2, "cannot be split into words"),
        ('[deploy]\nstrategy = "canary"\n[mount]\nsource = "a"\ndestination = "/a"', 2, "attached to one machine only"),
        ('[deploy]\nstrategy = "yolo"', 2, "must be one of rolling, immediate, bluegreen, canary"),
        ('app = "x"\n[processes]\napp = "a"\nworker = "b"', 2, "has 2 process groups (app, worker)"),
        ('[[statics]]\nguest_path = "p"\nurl_prefix = "/"', 2, "is not an absolute path in the image"),
        ('app = "x"\n[experimental]\nmachine_config = "{}"', 3, "machine_config is not supported"),
        ("[experimental]\ncmd = [1]", 2, "must be a string or a list of strings"),
        ('[build]\ncompose = {file = "compose.yml"}', 2, "one container per machine is supported"),
        ('machine_config = "x.json"', 1, "machine_config is not supported: this file is the machine definition"),
        ('[[vm]]\ngpu_kind = "a10"', 2, "gpu_kind is not supported: GPUs are not supported"),
        ('[[vm]]\nsize = "huge"', 2, "'huge' is not a size"),
        ("[[vm]]\nmemory_mb = 300", 1, "must be a multiple of 256 MB"),
        ('app = "x"\n\n[[compute]]\nsize = "huge"', 4, "'huge' is not a size"),
        (
            '[[mounts]]\nsource = "a"\ndestination = "/a"\n[[mounts]]\nsource = "b"\ndestination = "/b"',
            4,
            "only one [[mounts]]",
        ),
        ('[[mounts]]\nsource = "a"\ndestination = "a"', 3, "must be an absolute path"),
        ('[[mounts]]\nsource = "a"\ndestination = "/a"\nsnapshot_retention = 99', 4, "must be 1 to 60 days"),
        (
            '[[mounts]]\nsource = "a"\ndestination = "/a"\ninitial_size = "ten"',
            4,
            "'ten' is not a size: write it like 10gb",
        ),
        ("[http_service]\nforce_https = true", 1, "internal_port is missing"),
        ('[http_service]\ninternal_port = "8080"', 2, "must be a whole number"),
        ('[http_service]\ninternal_port = 8080\nauto_stop_machines = "maybe"', 3, "must be off, stop or suspend"),
        (
            '[http_service]\ninternal_port = 8080\n[http_service.concurrency]\ntype = "users"',
            4,
            "must be one of connections",
        ),
        ('[[http_service.checks]]\ninterval = "often"', 2, "'often' is not a duration: write it like 15s"),
        ("[[http_service.checks]]\ninterval = 15", 2, "15 has no unit: write it like 15s"),
        ('[checks.alive]\ntype = "tcp"', 1, "port is missing, and there is no [http_service] to take it from"),
        ("[checks.alive]\nport = 1", 1, "type is missing"),
        ('kill_signal = "SIGFOO"', 1, "must be one of SIGHUP"),
        ('kill_timeout = "10m"', 1, "must be at most 300 s"),
        ('[[files]]\nguest_path = "/f"', 1, "needs exactly one of local_path, raw_value and secret_name"),
        ('[[files]]\nguest_path = "/f"\nlocal_path = "nowhere"', 3, "nowhere cannot be read"),
        ("[metrics]\npath = '/m'", 1, "port is missing"),
        ("[env]\nLIST = [1]", 2, "must be a string, a number, or true or false"),
        ("[env]\nDAY = 2026-11-27", 2, "must be a string, a number, or true or false"),
        ('[processes]\napp = "node # fast"', 2, "begins a comment for fly deploy"),
        (
            '[processes]\napp = "node"\n[http_service]\ninternal_port = 1',
            3,
            'needs processes = ["app"], because [processes] names that group',
        ),
        ("[[restart]]\nretries = 3", 1, "policy is missing"),
        ('[restart]\npolicy = "always"', 1, "must be written [[restart]]"),
        ('[http_service]\ninternal_port = 1\n[http_service.checks]\npath = "/"', 3, "written [[http_service.checks]]"),
        ("[http_service]\ninternal_port = 0", 2, "must be 1 to 65535"),
        ("[http_service.http_options]\ncompres = true", 2, "compres is unknown; did you mean compress?"),
        ('[[services]]\ninternal_port = "web"', 2, "must be a whole number"),
        ('[[services]]\nconcurrency = "many"', 2, "is not a soft and a hard limit"),
        ('[[checks]]\ntype = "tcp"\nport = 1', 1, "name is missing"),
        ('[[services.ports]]\nport = "80"', 1, "internal_port is missing"),
        ('[http_service.tls_options]\nalpn = "h2"', 2, "must be a list"),
        ("[[http_service.checks]]\nheaders = {A = 1}", 2, "must be a table of strings"),
        ('[checks.alive]\ninterval = "1s"', 2, "must be at least 2s"),
        ('[checks.alive]\ntimeout = "61s"', 2, "must be at most 60s"),
        ('[[mounts]]\nsource = "a"\ndestination = "/a"\ninitial_size = "500mb"', 4, "must be 1gb to 500gb"),
        (
            '[[mounts]]\nsource = "a"\ndestination = "/a"\nauto_extend_size_threshold = 49',
            4,
            "must be 50 to 99 percent",
        ),
        ('[[mounts]]\nsource = "a"\ndestination = "/a"\nauto_extend_size_threshold = 80', 1, "needs auto_extend_size_"),
        (
            '[[mounts]]\nsource = "a"\ndestination = "/a"\nauto_extend_size_increment = "101gb"',
            4,
            "must be 1gb to 100gb",
        ),
        ('[[files]]\nguest_path = "/f"\nraw_value = "a"\n[[files]]\nguest_path = "/f"\nraw_value = "b"', 5, "twice"),
        ("[[vm]]\nkernel_args = []", 2, "the kernel is Fly's"),
        ('[http_service]\ninternal_port = 1\nprocesses = ["worker"]', 3, "names the process group 'worker'"),
        ('ap = "x"', 1, "ap is unknown; did you mean app?"),
        ("[http_service]\ninternal_prt = 1", 2, "internal_prt is unknown; did you mean internal_port?"),
        ('app = "x', 1, "Illegal character"),
    ],
)
def test_problem_names_key_and_line(read: Load, text: str, line: int, problem: str) -> None:
    problems = read(f"{text}\n").problems

    found = [item for item in problems if problem in f"{item.key}: {item}"]
    assert found, problems
    assert found[0].key == f"fly.toml:{line}"


def misspelt() -> Iterator[tuple[int, str]]:
    """EVERYTHING with the last letter of one key or table twice, and the line of it. Names that are free are left out."""
    lines, section = EVERYTHING.splitlines(), ""
    for at, line in enumerate(lines):
        if header := re.match(r"\[+([\w.]+)", line):
            section = header[1]
        name = header or re.match(r"\w+", line)
        free = section.startswith("checks.") if header else section.endswith(("build", "env", "processes", "headers"))
        if name and not free:
            yield at + 1, "\n".join([*lines[:at], line[: name.end()] + line[name.end() - 1 :], *lines[at + 1 :]])


@pytest.mark.parametrize(("line", "text"), [pytest.param(*case, id=f"line{case[0]}") for case in misspelt()])
def test_misspelt_key_reported_once(read: Load, line: int, text: str) -> None:
    """Not also as missing, nor with what its absence leads to."""
    (problem,) = read(text).problems

    assert (problem.key, "is unknown; did you mean" in str(problem)) == (f"fly.toml:{line}", True)


def test_bad_port_reported_once(read: Load) -> None:
    """Not also as the port that a check would take."""
    (problem,) = read('[http_service]\ninternal_port = "web"\n[checks.alive]\ntype = "tcp"\n').problems

    assert "internal_port must be a whole number" in str(problem)


def test_all_problems_in_order(read: Load) -> None:
    parsed = read('kill_signal = "NO"\n[deploy]\nstrategy = "yolo"\n\n[[vm]]\nsize = "huge"\n')

    assert [problem.key for problem in parsed.problems] == ["fly.toml:1", "fly.toml:3", "fly.toml:6"]


def test_lines_after_multiline_values(read: Load) -> None:
    parsed = read(
        '[env]\nTEXT = """\nkill_signal = "no key"\n[vm]\n"""\n\n[[vm]]\nprocesses = [\n  "app",\n]\nsize = "huge"\n'
    )

    assert [problem.key for problem in parsed.problems] == ["fly.toml:11"]


def test_missing_file_is_a_problem(tmp_path: Path) -> None:
    (problem,) = load(tmp_path / "fly.toml").problems

    assert "cannot be read (No such file or directory)" in problem.message


@pytest.mark.parametrize(
    ("text", "line", "warning"),
    [
        (
            'app = "x"\n[build]\ndockerfile = "Dockerfile"',
            2,
            "build is for `fly deploy`: here the stack's `image` names the image",
        ),
        ("[experimental]\nenable_consul = true", 2, "enable_consul has no effect on a machine"),
        ("[http_service]\ninternal_port = 1\nmax_machines_running = 1", 3, "max_machines_running has no effect"),
        ('[[http_service.machine_checks]]\nimage = "curl"', 1, "machine_checks is run by `fly deploy` only"),
        ('[deploy]\nseed_command = "seed"', 2, "seed_command is run by `fly launch` only"),
        ('[checks.a]\ntype = "tcp"\nport = 1\nkind = "readiness"', 4, "kind is not read by `fly deploy` either"),
        ("nonsense = 1", 1, "nonsense is unknown to `fly deploy` too, which drops it"),
    ],
)
def test_unused_line_is_a_warning(read: Load, text: str, line: int, warning: str) -> None:
    parsed = read(f"{text}\n")

    assert [(item.key, warning in item.message) for item in parsed.warnings] == [(f"fly.toml:{line}", True)]


def test_empty_build_is_no_warning(read: Load) -> None:
    assert read("[build]\n").warnings == ()


def test_place_of_a_key(read: Load) -> None:
    parsed = read('app = "x"\n[[services]]\ninternal_port = 80\nports = [{ port = 443 }]\n')

    assert parsed.service_paths == ("services[0]",)
    assert parsed.place("services[0]", "ports[0]", "port") == "fly.toml:4"
    assert parsed.place("services[0]", "min_machines_running") == "fly.toml:2"
    assert parsed.place("mounts") == "fly.toml:1"
