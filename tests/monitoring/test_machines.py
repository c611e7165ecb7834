"""The declared machines of the monitor: images, files, and what they must not have."""

import base64
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from components.monitoring.machines import FILES, IMAGES, SINKS, machines, prometheus_yml, sources
from tests.monitoring.conftest import Run
from tests.monitoring.tools import EXAMPLE, WEBHOOKS, unpack
from tests.needs import needs

MACHINES = machines(EXAMPLE)
by_name = pytest.mark.parametrize("name", MACHINES)


def _file(config: dict[str, Any], path: str) -> str:
    return next(base64.b64decode(file["raw_value"]).decode() for file in config["files"] if file["guest_path"] == path)


@by_name
def test_images_are_pinned(name: str) -> None:
    assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+[\w.-]*@sha256:[0-9a-f]{64}", IMAGES[name])


@by_name
def test_machines_are_private(name: str) -> None:
    assert not MACHINES[name].keys() & {"services", "mounts"}


@by_name
def test_process_group_is_name(name: str) -> None:
    assert MACHINES[name]["metadata"] == {"fly_process_group": name, "fly_platform_version": "v2"}
    assert MACHINES[name]["restart"] == {"policy": "always"}


@by_name
def test_no_placeholder_left(name: str) -> None:
    files = [base64.b64decode(file.get("raw_value", "")).decode() for file in MACHINES[name]["files"]]

    if name == "logs":  # Telegraf fills in its environment itself.
        files = [re.sub(r"\$\{[A-Z_]+\}", "", file) for file in files]
    assert not any("${" in file for file in files)


def test_static_files_are_unchanged() -> None:
    assert _file(MACHINES["blackbox"], "/etc/blackbox_exporter/config.yml") == (FILES / "blackbox.yml").read_text()
    assert _file(MACHINES["logs"], "/etc/telegraf/telegraf.conf") == (FILES / "telegraf.conf").read_text()
    for rule in FILES.glob("rules/*.yml"):
        assert _file(MACHINES["prometheus"], f"/etc/prometheus/rules/{rule.name}") == rule.read_text()


def test_secret_files_by_name() -> None:
    by_secret = {
        file["secret_name"]: file["guest_path"]
        for config in MACHINES.values()
        for file in config["files"]
        if "secret_name" in file
    }

    assert by_secret == {
        "FILE_FLY_METRICS_TOKEN": "/etc/prometheus/secrets/fly-metrics-token",
        "FILE_ALERTMANAGER_YML": "/etc/alertmanager/alertmanager.yml",
    }


def test_postgres_has_no_volume_rules() -> None:
    prometheus = machines(replace(EXAMPLE, sqlite=False, replica=False, sink=None))["prometheus"]

    rules = {Path(file["guest_path"]).name for file in prometheus["files"] if "/rules/" in file["guest_path"]}

    assert rules == {"availability.yml", "quality.yml", "logs.yml", "monitor.yml", "records.yml"}


def test_without_log_machine() -> None:
    declared = machines(replace(EXAMPLE, logs=False))

    jobs = yaml.safe_load(_file(declared["prometheus"], "/etc/prometheus/prometheus.yml"))["scrape_configs"]

    assert set(declared) == {"prometheus", "alertmanager", "blackbox"}
    assert [job["job_name"] for job in jobs] == ["health", "fly", "prometheus", "alertmanager", "blackbox"]
    assert not any(file["guest_path"].endswith("logs.yml") for file in declared["prometheus"]["files"])


@pytest.mark.parametrize("logs", [True, False])
def test_sources_are_scrape_jobs(logs: bool) -> None:
    rendered = yaml.safe_load(prometheus_yml(replace(EXAMPLE, logs=logs)))

    assert sources(logs=logs) == [job["job_name"] for job in rendered["scrape_configs"]]


@pytest.mark.parametrize("sink", SINKS)
def test_sink_file(sink: str) -> None:
    logs = machines(replace(EXAMPLE, sink=sink, sink_url="https://logs.example"))["logs"]

    assert _file(logs, "/etc/telegraf/telegraf.d/sink.conf") == (FILES / "sinks" / f"{sink}.conf").read_text()
    assert logs["env"]["LOG_SINK_URL"] == "https://logs.example"


def test_scraped_machines_exist() -> None:
    scraped = yaml.safe_load(_file(MACHINES["prometheus"], "/etc/prometheus/prometheus.yml"))["scrape_configs"]

    hosts = {
        tuple(target.split(":"))
        for job in scraped
        for config in job["static_configs"]
        for target in config["targets"]
        if target.endswith(tuple("0123456789")) and "localhost" not in target
    }

    assert hosts == {
        (f"{name}.process.solos-prod-monitor.internal", str(config["checks"]["alive"]["port"]))
        for name, config in MACHINES.items()
        if name != "prometheus"
    }


@needs("promtool")
def test_prometheus_accepts_files(run: Run, tmp_path: Path) -> None:
    root = unpack(MACHINES["prometheus"], tmp_path)

    output = run("promtool", "check", "config", root / "etc/prometheus/prometheus.yml")

    assert "FAILED" not in output
    assert f"SUCCESS: {len(list(FILES.glob('rules/*.yml')))} rule files found" in output


@needs("amtool")
def test_alertmanager_accepts_file(run: Run, tmp_path: Path) -> None:
    root = unpack(MACHINES["alertmanager"], tmp_path)

    output = run("amtool", "check-config", root / "etc/alertmanager/alertmanager.yml")

    assert "SUCCESS" in output
    assert (root / "etc/alertmanager/alertmanager.yml").read_text() == WEBHOOKS


@needs("prometheus-blackbox-exporter")
def test_blackbox_accepts_file(run: Run, tmp_path: Path) -> None:
    root = unpack(MACHINES["blackbox"], tmp_path)

    output = run(
        "prometheus-blackbox-exporter", "--config.check", f"--config.file={root}/etc/blackbox_exporter/config.yml"
    )

    assert "Config file is ok" in output


@needs("telegraf")
@pytest.mark.parametrize("sink", [None, *SINKS])
def test_telegraf_accepts_files(run: Run, tmp_path: Path, sink: str | None) -> None:
    root = unpack(machines(replace(EXAMPLE, sink=sink))["logs"], tmp_path)

    run(
        "telegraf",
        "config",
        "check",
        "--strict-env-handling",  # the default of a later version
        f"--config={root}/etc/telegraf/telegraf.conf",
        f"--config-directory={root}/etc/telegraf/telegraf.d",
    )
