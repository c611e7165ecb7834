"""What each file of a program of the monitor has to say. A mutation of it has to fail here, if no program notices it."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from components.monitoring.machines import (
    FILES,
    RECEIVERS,
    SINKS,
    Receiver,
    alertmanager_yml,
    blackbox_yml,
    prometheus_yml,
)
from tests.monitoring.conftest import Run
from tests.monitoring.tools import EXAMPLE
from tests.needs import needs

TELEGRAF: dict[str, Any] = tomllib.loads((FILES / "telegraf.conf").read_text())
LABELS = ("app", "machine", "region", "level")


def test_probe() -> None:
    """HTTPS without redirects, as clients of the app use it, and IPv4 where there is no IPv6."""
    [module] = yaml.safe_load(blackbox_yml(EXAMPLE))["modules"].values()

    assert module == {
        "prober": "http",
        "timeout": "5s",
        "http": {
            "method": "GET",
            "valid_status_codes": [200],
            "follow_redirects": False,
            "fail_if_not_ssl": True,
            "preferred_ip_protocol": "ip4",
            "ip_protocol_fallback": True,
        },
    }


def test_expected_body() -> None:
    rendered = yaml.safe_load(blackbox_yml(replace(EXAMPLE, healthy_body='{"ok": true}')))

    [pattern] = rendered["modules"]["health"]["http"]["fail_if_body_not_matches_regexp"]

    assert re.search(pattern, '{"ok": true}')
    assert not re.search(pattern, '{"ok":false}')


def test_scrapes() -> None:
    jobs = {job.pop("job_name"): job for job in yaml.safe_load(prometheus_yml(EXAMPLE))["scrape_configs"]}
    health, fly = jobs.pop("health"), jobs.pop("fly")

    assert [job["static_configs"][0]["targets"][0].partition(".")[0] for job in jobs.values()] == [
        "localhost:9090",
        "alertmanager",
        "blackbox",
        "logs",
    ]
    assert health["static_configs"] == [{"targets": ["https://solos-prod.fly.dev/health"]}]
    assert health["relabel_configs"] == [
        {"source_labels": ["__address__"], "target_label": "__param_target"},
        {"source_labels": ["__param_target"], "target_label": "instance"},
        {"target_label": "__address__", "replacement": "blackbox.process.solos-prod-monitor.internal:9115"},
    ]
    assert fly["scheme"] == "https"
    assert fly["static_configs"] == [{"targets": ["api.fly.io"]}]
    assert fly["authorization"] == {"type": "FlyV1", "credentials_file": "secrets/fly-metrics-token"}


def test_alertmanager_is_found() -> None:
    rendered = yaml.safe_load(prometheus_yml(EXAMPLE))

    targets = [
        target
        for manager in rendered["alerting"]["alertmanagers"]
        for config in manager["static_configs"]
        for target in config["targets"]
    ]

    assert targets == ["alertmanager.process.solos-prod-monitor.internal:9093"]
    assert rendered["rule_files"] == ["rules/*.yml"]
    assert rendered["global"]["scrape_timeout"] == "10s"


def test_log_reader() -> None:
    [reader] = TELEGRAF["inputs"]["nats_consumer"]
    [parser] = reader.pop("json_v2")

    assert reader == {
        "servers": ["${NATS_URL}"],
        "subjects": ["logs.${APP}.>", "logs.${MONITOR}.>"],
        "queue_group": "${APP}-monitor",
        "username": "${FLY_ORG}",
        "password": "${FLY_LOGS_TOKEN}",
        "data_format": "json_v2",
    }
    assert {tag["path"]: (tag["rename"], tag["optional"]) for tag in parser.pop("tag")} == {
        "log.level": ("level", True),
        "fly.app.name": ("app", True),
        "fly.app.instance": ("machine", True),
        "fly.region": ("region", True),
    }
    assert parser == {
        "measurement_name": "fly_log",
        "timestamp_path": "timestamp",
        "timestamp_format": "rfc3339",
        "field": [{"path": "message", "type": "string"}],
    }


def test_log_counters() -> None:
    [processor] = TELEGRAF["processors"]["starlark"]
    [output] = TELEGRAF["outputs"]["prometheus_client"]
    [internal] = TELEGRAF["inputs"]["internal"]

    assert (processor["namepass"], processor["constants"]) == (["fly_log"], {"monitor": "${MONITOR}"})
    assert output == {
        "listen": "${METRICS_ADDRESS}",
        "namepass": ["app_log_lines", "app_log_stream", "internal_write"],
        "metric_version": 1,
        "collectors_exclude": ["gocollector", "process"],
        "expiration_interval": "0s",
        "metric_types": {"counter": ["app_log_lines_total", "app_log_stream_total"]},
    }
    assert internal == {
        "namepass": ["internal_write"],
        "collect_memstats": False,
        "fieldinclude": ["metrics_added", "metrics_written", "metrics_dropped"],
    }
    assert TELEGRAF["agent"] == {
        "interval": "5s",
        "flush_interval": "5s",
        "omit_hostname": True,
        "skip_processors_after_aggregators": True,
    }


@pytest.mark.parametrize("sink", SINKS)
def test_sink(sink: str) -> None:
    """It gets the lines and nothing else, with their labels, authenticated."""
    [output] = tomllib.loads((FILES / "sinks" / f"{sink}.conf").read_text())["outputs"]["http"]
    transformation = output.pop("json_transformation")

    assert set(re.findall(r'"(\w+)": tags\.\1\b', transformation)) == set(LABELS)
    assert output.pop("headers")["Content-Type"] == "application/json"
    assert (output["namepass"], output["data_format"], output["json_timestamp_units"]) == (["fly_log"], "json", "1ms")


def test_sink_credentials() -> None:
    loki, http = ((FILES / "sinks" / f"{sink}.conf").read_text() for sink in ("loki", "http"))

    assert """json_transformation = '''{"streams": [metrics.{"stream": {""" in loki
    assert 'url = "${LOG_SINK_URL}/loki/api/v1/push"' in loki
    assert 'username = "${LOG_SINK_USER}"\n  password = "${LOG_SINK_TOKEN}"' in loki
    assert '"values": [[$formatNumber(timestamp, "0") & "000000", fields.line]]' in loki
    assert 'url = "${LOG_SINK_URL}"' in http
    assert 'Authorization = "Bearer ${LOG_SINK_TOKEN}"' in http
    assert '"dt": timestamp' in http
    assert '"message": fields.message' in http


@pytest.mark.parametrize("kind", RECEIVERS)
def test_receiver_says_when_it_is_over(kind: str) -> None:
    """Resolves are sent, and a page names the alert, the app, what is wrong and the runbook."""
    receiver = Receiver(kind=kind, secret="https://hooks.example/1")
    rendered = yaml.safe_load(
        alertmanager_yml(page=receiver, ticket=receiver, heartbeat="https://beat.example", repository="https://repo/")
    )

    page, _, deadman = rendered["receivers"]
    [[config]] = [configs for name, configs in page.items() if name != "name"]

    assert config["send_resolved"] is True
    if kind != "webhook":  # A webhook gets the alerts as they are.
        assert all(part in str(config) for part in ("alertname", ".app", ".summary", "https://repo/{{", ".runbook"))
    assert deadman["webhook_configs"] == [{"url": "https://beat.example", "send_resolved": False, "max_alerts": 1}]


def test_pagerduty_link() -> None:
    """PagerDuty shows the text instead of a long address."""
    receiver = Receiver(kind="pagerduty", secret="key")
    page, *_ = yaml.safe_load(
        alertmanager_yml(page=receiver, ticket=receiver, heartbeat="https://beat.example", repository="https://repo/")
    )["receivers"]

    [link] = page["pagerduty_configs"][0]["links"]

    assert link == {"href": "https://repo/{{ .CommonAnnotations.runbook }}", "text": "runbook"}


@needs("amtool")
def test_page_names_each_alert(run: Run, tmp_path: Path) -> None:
    """Two machines in one page: their summaries differ, and PagerDuty's incident has both."""
    alerts = [
        {"status": "firing", "labels": {"instance": name}, "annotations": {"summary": f"Machine {name} was killed"}}
        for name in ("m1", "m2")
    ]
    data = {"commonLabels": {"alertname": "AppOutOfMemory", "app": "solos-prod"}, "alerts": alerts}
    (tmp_path / "data.json").write_text(json.dumps(data))
    receiver = yaml.safe_load((FILES / "receivers" / "pagerduty.yml").read_text())

    text = receiver["pagerduty_configs"][0]["description"]
    arguments = (f"--template.text={text}", f"--template.data={tmp_path / 'data.json'}")
    shown = run("amtool", "template", "render", "--template.glob=", *arguments)

    assert shown.strip() == "AppOutOfMemory (solos-prod): Machine m1 was killed. Machine m2 was killed."


def test_replica() -> None:
    replica = yaml.safe_load((FILES / "litestream.yml").read_text())

    assert replica == {
        "addr": ":9090",
        "snapshot": {"interval": "24h", "retention": "720h"},
        "validation": {"interval": "5m"},
        "heartbeat-url": "${LITESTREAM_HEARTBEAT_URL}",
        "heartbeat-interval": "5m",
        "dbs": [
            {
                "path": "${DATABASE_PATH}",
                "replica": {
                    "type": "s3",
                    "bucket": "${BUCKET_NAME}",
                    "path": "database",
                    "endpoint": "${AWS_ENDPOINT_URL_S3}",
                    "region": "auto",
                    "access-key-id": "${AWS_ACCESS_KEY_ID}",
                    "secret-access-key": "${AWS_SECRET_ACCESS_KEY}",
                    "sync-interval": "10s",
                },
            }
        ],
    }
