"""Mutated fly.toml files: a wrong value ends in a line with its place in the file, never in a traceback."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from components.backend import fly_toml
from providers.fly import appconfig
from providers.fly.appconfig import AppConfig
from providers.fly.appconfig.ranges import FORMS, NUMBERS, SECONDS
from tests.program.mutation import mutated_text

FILES = 5_000
FULL = """\
app = "solos-prod"
primary_region = "sjc"
kill_signal = "SIGTERM"
kill_timeout = "30s"
swap_size_mb = 512
[deploy]
strategy = "rolling"
wait_timeout = "5m"
[env]
PORT = "8080"
NODE_ENV = "production"
[[mounts]]
source = "data"
destination = "/data"
initial_size = "1gb"
snapshot_retention = 5
auto_extend_size_threshold = 80
auto_extend_size_increment = "1gb"
auto_extend_size_limit = "10gb"
[http_service]
internal_port = 8080
force_https = true
auto_stop_machines = "off"
auto_start_machines = true
min_machines_running = 1
[http_service.concurrency]
type = "requests"
soft_limit = 200
hard_limit = 250
[http_service.http_options]
idle_timeout = 60
[[http_service.checks]]
interval = "15s"
timeout = "2s"
grace_period = "10s"
method = "GET"
path = "/health"
[[services]]
internal_port = 9000
protocol = "tcp"
[[services.ports]]
port = 9000
handlers = ["tls"]
[[services.tcp_checks]]
interval = "15s"
timeout = "2s"
grace_period = "1s"
[checks.alive]
type = "tcp"
port = 8080
interval = "15s"
timeout = "2s"
[[restart]]
policy = "on-failure"
retries = 10
[[metrics]]
port = 9091
path = "/metrics"
[[vm]]
size = "shared-cpu-1x"
memory = "512mb"
cpus = 1
"""
VALUES = (
    *(
        '""',
        '"a"',
        r'"x\u0000"',
        r'"\n"',
        '"é"',
        '"sj"',
        '"15"',
        '"0s"',
        '"-5s"',
        '"1h"',
        '"999999h"',
        '"9gb"',
        '"-1gb"',
    ),
    *("-1", "0", "1", "99999", "99999999999999999999", "1.5", "nan", "inf", "1e400", "true", "2026-11-29"),
    *("[]", "[1]", '["a"]', "[[1]]", "{}", "{a=1}"),
)
WRONG = {
    "hard_limit": ("-1", "99999999999999999999"),
    "soft_limit": ("-1",),
    "port": ("0", "-1", "65536", '"99999"'),
    "internal_port": ("0", "-1", "65536"),
    "retries": ("-1", "99999"),
    "min_machines_running": ("-1",),
    "swap_size_mb": ("-1", "99999"),
    "idle_timeout": ("0", "-1"),
    "interval": ('"0s"', '"-5s"', '"999999h"', "-1", "nan"),
    "timeout": ('"0s"', '"2"', "-1"),
    "grace_period": ('"-1s"', "-1"),
    "wait_timeout": ('"0s"', '"2000h"', "5"),
    "primary_region": ('"sj"', '"SJC"', '"chicago"'),
    "method": ('"FETCH"',),
    "path": ('"health"', '"/a b"', '"https://x"'),
    "handlers": ('["a"]',),
    "snapshot_retention": ("0", "61"),
    "initial_size": ('"-1gb"', '"900gb"'),
    "kill_timeout": ('"301s"',),
    "source": (r'"x\u0000"',),
}


def load(folder: Path, text: str) -> AppConfig:
    (folder / "fly.toml").write_text(text, encoding="utf-8")
    return appconfig.load(folder / "fly.toml")


def with_value(key: str, value: str) -> tuple[str, int]:
    """FULL with another value of the first such key, and the number of that line."""
    lines = FULL.splitlines()
    at = next(number for number, line in enumerate(lines) if line.split(" = ")[0] == key)
    lines[at] = f"{key} = {value}"
    return "\n".join(lines), at + 1


def mutated(dice: random.Random) -> str:
    lines = FULL.splitlines()
    at = dice.choice([number for number, line in enumerate(lines) if " = " in line])
    lines[at] = f"{lines[at].split(' = ')[0]} = {dice.choice(VALUES)}"
    return dice.choice(("\n".join(lines), mutated_text(FULL, dice)))


def test_full_file_accepted(tmp_path: Path) -> None:
    assert load(tmp_path, FULL).problems == ()


def test_mutated_files(tmp_path: Path, counted: Callable[[str, int], None]) -> None:
    failures: list[str] = []
    for number in range(FILES):
        try:
            read = load(tmp_path, mutated(random.Random(number)))  # noqa: S311 (not cryptography)
            path = fly_toml.health_path(read)
            problems = [
                *read.problems,
                *fly_toml.problems(read, "sqlite", path),
                *fly_toml.problems(read, "postgres", path),
            ]
        except Exception as error:  # noqa: BLE001 (the test reports all failures together)
            failures.append(f"{number}: {type(error).__name__}: {error}")
            continue
        failures += [
            f"{number}: {problem.key}: {problem}"
            for problem in problems
            if not problem.key.startswith("fly.toml") or len(str(problem).splitlines()) != 1
        ]

    counted("mutated fly.toml: nothing lost, no traceback", FILES)
    assert failures == []


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in WRONG.items() for value in values])
def test_wrong_value_refused(tmp_path: Path, key: str, value: str) -> None:
    """With the line of the key."""
    text, line = with_value(key, value)

    problems = load(tmp_path, text).problems

    assert [problem for problem in problems if problem.key == f"fly.toml:{line}"], problems


def test_every_range_has_a_wrong_value() -> None:
    assert {*NUMBERS, *SECONDS, *FORMS} - {"max_retries", "release_command_timeout"} <= WRONG.keys()
