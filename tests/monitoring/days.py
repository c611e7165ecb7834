"""Days in the life of the app, as input of promtool: the series that the monitor sees, and which alerts fire, when and for how long.

A day is a healthy base with changes. A change replaces a series from a moment until another one: with a constant, with a counter's
increment per step, or with None, when nothing is scraped. Counters go on from their last value, or from zero after a restart.

`make simulate-days` runs all of them, `make test` the short ones that an `up` causes. They are evaluated every 15 s, as in production: a
coarser interval would change when alerts fire.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

STEP = 15
"""Seconds between samples and between evaluations."""
MINUTE, HOUR = 60, 3600
PROBE = 'probe_success{job="health", instance="https://solos-prod.fly.dev/health"}'
CERTIFICATE = 'probe_ssl_earliest_cert_expiry{job="health"}'
PROBED = ("health", "fly", "prometheus", "alertmanager", "blackbox", "logs")
ALL_UP = tuple(f'up{{job="{job}"}}' for job in PROBED)
SAMPLES = 'scrape_samples_scraped{job="fly"}'
MACHINE = 'job="fly", app="solos-prod", instance="m1"'
INSTANCE_UP = f"fly_instance_up{{{MACHINE}}}"
CPU = f'fly_instance_cpu{{{MACHINE}, cpu_id="0", mode="idle"}}'
THROTTLE = f"fly_instance_cpu_throttle{{{MACHINE}}}"
AVAILABLE, TOTAL = (f"fly_instance_memory_mem_{name}{{{MACHINE}}}" for name in ("available", "total"))
FREE, BLOCKS = (f'fly_instance_filesystem_{name}{{{MACHINE}, mount="/data"}}' for name in ("blocks_avail", "blocks"))
EXIT = f"fly_instance_exit_code{{{MACHINE}}}"
KILLED = f"fly_instance_exit_oom{{{MACHINE}}}"
OK, FAILED = (f'fly_edge_http_responses_count{{job="fly", region="sjc", status="{status}"}}' for status in (200, 503))
FAST, SLOW, ANY = (
    f'fly_edge_http_response_time_seconds_bucket{{job="fly", le="{limit}"}}' for limit in ("0.5", "5", "+Inf")
)
TXID = 'litestream_txid{job="fly", db="/data/solos.sqlite3"}'
PUTS = 'litestream_replica_operation_total{job="fly", operation="PUT"}'
SYNC_ERRORS = 'litestream_sync_error_count{job="fly"}'
VERIFIED = 'litestream_last_validation_success_timestamp_seconds{job="fly", level="0"}'
INFO, ERROR = (f'app_log_lines_total{{job="logs", level="{level}"}}' for level in ("info", "error"))
STREAM = 'app_log_stream_total{job="logs"}'
ADDED, SENT, DROPPED = (
    f'internal_write_metrics_{name}{{job="logs", output="http"}}' for name in ("added", "written", "dropped")
)
NOTIFY_FAILED = 'alertmanager_notifications_failed_total{job="alertmanager", integration="pagerduty"}'
OF_PROMETHEUS = {
    'prometheus_config_last_reload_successful{job="prometheus"}': 1,
    'alertmanager_config_last_reload_successful{job="alertmanager"}': 1,
    'prometheus_notifications_alertmanagers_discovered{job="prometheus"}': 1,
}


@dataclass(frozen=True)
class Counter:
    """Grows by this per step."""

    per_step: float


@dataclass(frozen=True)
class Now:
    """The time of the sample, if the event recurs at every step."""


@dataclass(frozen=True)
class Kept:
    """A counter that does not exist before it is first counted, and then keeps its value."""


@dataclass(frozen=True)
class Ramp:
    """Goes evenly from one value to another one during a change."""

    first: float
    last: float


Value = float | Counter | Now | Kept | Ramp | None
FROM_FLY = (
    INSTANCE_UP,
    CPU,
    THROTTLE,
    AVAILABLE,
    TOTAL,
    FREE,
    BLOCKS,
    OK,
    FAILED,
    FAST,
    SLOW,
    ANY,
    TXID,
    PUTS,
    SYNC_ERRORS,
    VERIFIED,
)
OF_LITESTREAM = (TXID, PUTS, SYNC_ERRORS, VERIFIED)
OF_MACHINE = (INSTANCE_UP, CPU, THROTTLE, AVAILABLE, TOTAL, FREE, BLOCKS, *OF_LITESTREAM)
OF_LOGS = (INFO, ERROR, STREAM, ADDED, SENT, DROPPED)

HEALTHY: Mapping[str, Value] = {
    **dict.fromkeys(ALL_UP, 1),
    **OF_PROMETHEUS,
    PROBE: 1,
    CERTIFICATE: 90 * 24 * HOUR,
    SAMPLES: 40,
    INSTANCE_UP: 1,
    CPU: Counter(1400),
    THROTTLE: Counter(1),
    AVAILABLE: 300 << 20,
    TOTAL: 512 << 20,
    FREE: 2_000_000,
    BLOCKS: 2_600_000,
    OK: Counter(5),
    FAILED: Kept(),
    FAST: Counter(5),
    SLOW: Counter(5),
    ANY: Counter(5),
    TXID: Counter(1),
    PUTS: Counter(1),
    SYNC_ERRORS: 0,
    VERIFIED: Now(),
    INFO: Counter(4),
    ERROR: 0,
    STREAM: Counter(1),
    ADDED: Counter(4),
    SENT: Counter(4),
    DROPPED: 0,
    NOTIFY_FAILED: 0,
}
"""Four users' requests and a probe at every step."""


@dataclass(frozen=True)
class Change:
    """From `at` until `until`, in seconds, the series have these values. `restarts`: these counters begin again at zero."""

    at: int
    until: int
    values: Mapping[str, Value]
    restarts: Sequence[str] = ()


@dataclass(frozen=True)
class Day:
    name: str
    hours: float
    changes: Sequence[Change] = ()
    fires: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """By alert: when it fires first, and how long it fires altogether, as `1:15:00`."""
    is_update: bool = False
    """Whether `pulumi up` causes it, which silences alerts with a label `deploy`."""
    base: Mapping[str, Value] = field(default_factory=dict)
    """Differences to HEALTHY all day."""

    def case(self) -> dict[str, Any]:
        """The test case of promtool, which looks at ALERTS at the end. Times may differ by two steps: which group of rules is evaluated
        first is not fixed."""
        end = round(self.hours * HOUR)
        firing = 'alertstate="firing", alertname!="Watchdog"'
        checks = [
            {
                "expr": f"group by (alertname) (max_over_time(ALERTS{{{firing}}}[{end}s]))",
                "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in self.fires],
            }
        ]
        for alert, (first, total) in self.fires.items():
            series = f'ALERTS{{alertname="{alert}", alertstate="firing"}}'
            for measured, expected in (
                (f"min(min_over_time(timestamp({series})[{end}s:15s]))", first),
                (f"sum(count_over_time({series}[{end}s])) * 15", total),
            ):
                expr = f"abs({measured} - {seconds(expected)}) <= bool {2 * STEP}"
                checks.append({"expr": expr, "exp_samples": [{"labels": "{}", "value": 1}]})
        return {
            "name": self.name,
            "interval": "15s",
            "input_series": [{"series": name, "values": values} for name, values in self._series(end // STEP).items()],
            "promql_expr_test": [{**check, "eval_time": f"{end}s"} for check in checks],
        }

    def _series(self, steps: int) -> dict[str, str]:
        names = {**HEALTHY, **self.base, **{name: None for change in self.changes for name in change.values}}
        return {name: " ".join(self._samples(name, steps)) for name in names}

    def _samples(self, name: str, steps: int) -> list[str]:
        samples, last = [], 0.0
        base = {**HEALTHY, **self.base}.get(name)
        for step in range(steps + 1):
            at, value = step * STEP, base
            for change in self.changes:
                if name in change.restarts and change.at <= at < change.at + STEP:
                    last = 0.0
                if name in change.values and change.at <= at < change.until:
                    value = change.values[name]
                    if isinstance(value, Ramp):
                        share = (at - change.at) / (change.until - change.at)
                        value = round(value.first + share * (value.last - value.first))
            if isinstance(value, Counter):
                last += value.per_step
            elif isinstance(value, Now):
                last = at
            elif isinstance(value, Kept):
                value = last or None
            samples.append("_" if value is None else f"{last if isinstance(value, Counter | Now) else value:g}")
        return samples


def seconds(text: str) -> int:
    hours, minutes, rest = map(int, text.split(":"))
    return hours * HOUR + minutes * MINUTE + rest


def gone(*names: str) -> dict[str, Value]:
    return dict.fromkeys(names)


def restart(at: int, gap: int, *, code: int | None = None) -> list[Change]:
    """The machine restarts: errors for `gap` seconds, counters from zero; `code` if it did not end with 0."""
    return [
        Change(at, at + gap, {PROBE: 0, OK: Counter(0), FAILED: Counter(5)}),
        Change(at, at + 30, gone(*OF_MACHINE), restarts=(CPU, THROTTLE, PUTS)),
        Change(at, at + STEP, {EXIT: code or 0}),
    ]


NIGHT: Mapping[str, Value] = {
    OK: Counter(1),
    FAST: Counter(1),
    SLOW: Counter(1),
    ANY: Counter(1),
    INFO: 7,
    TXID: 7,
    PUTS: 9,
    ADDED: 7,
    SENT: 7,
}
"""Nothing but the monitor's own probes."""

DAYS = (
    # Days on which nobody is woken.
    Day("a quiet night", 10, base=NIGHT),
    Day(
        "one request a minute, slow probes, and an error now and then",
        12,
        [Change(hour * HOUR, hour * HOUR + STEP, {FAILED: Counter(1)}) for hour in (2, 5, 6, 9)],
        base={OK: Counter(1.25), FAST: Counter(0.2), SLOW: Counter(1.25), ANY: Counter(1.25), INFO: Counter(0.25)},
    ),
    # Prometheus starts once the backend is verified; Fly has scraped it once, and nobody has asked for anything yet.
    Day("a first launch", 1, [Change(0, MINUTE, gone(*FROM_FLY, *OF_LOGS))]),
    Day("three releases in half an hour", 1.25, [*restart(900, 30), *restart(1800, 45), *restart(2700, 30)]),
    Day(
        "a release that is rolled back",
        1,
        [*restart(1800, 30), *restart(1845, 75, code=1)],
        {
            "AppHealthDown": ("0:31:45", "0:00:15"),
            "AppMachineExitedWithError": ("0:30:45", "0:05:15"),
        },
        is_update=True,
    ),
    # A machine of the monitor restarts.
    Day("Prometheus restarts", 1, [Change(1800, 1860, gone(*HEALTHY))]),
    Day(
        "Alertmanager restarts",
        1,
        [Change(1800, 1860, {'up{job="alertmanager"}': 0, NOTIFY_FAILED: None, STREAM: Counter(0)})],
    ),
    Day(
        "the prober restarts",
        1,
        [Change(1800, 1860, {'up{job="blackbox"}': 0, 'up{job="health"}': 0, PROBE: None, CERTIFICATE: None})],
    ),
    Day("the log machine restarts", 1, [Change(1800, 1860, {'up{job="logs"}': 0, **gone(*OF_LOGS)}, restarts=OF_LOGS)]),
    # Something that the monitor needs fails.
    Day(
        "Fly answers without metrics for two hours",
        5,
        [Change(HOUR, 3 * HOUR, {SAMPLES: 0, **gone(*FROM_FLY)})],
        {"AppPlatformMetricsMissing": ("1:10:00", "1:50:00")},
    ),
    Day(
        "the token for metrics expires",
        2,
        [Change(1800, 5400, {'up{job="fly"}': 0, SAMPLES: 0, **gone(*FROM_FLY)})],
        {"AppPlatformMetricsMissing": ("0:40:00", "0:50:00")},
    ),
    Day(
        "the prober is lost",
        2,
        [Change(1800, 5400, {'up{job="blackbox"}': 0, 'up{job="health"}': 0, PROBE: None, CERTIFICATE: None})],
        {"AppMonitorTargetDown": ("0:35:00", "0:55:00"), "AppProbeMissing": ("0:35:00", "0:55:00")},
    ),
    Day(
        "the pager's key is revoked",
        1,
        [Change(1800, 2700, {NOTIFY_FAILED: Counter(0.25)})],
        {"AppNotificationsFailing": ("0:31:00", "0:23:45")},
    ),
    Day(
        "a configuration does not load",
        1,
        [Change(1800, 2700, {'prometheus_config_last_reload_successful{job="prometheus"}': 0})],
        {"AppMonitorMisconfigured": ("0:35:00", "0:10:00")},
    ),
    Day(
        "the log stream hangs",
        2,
        [Change(1800, 5400, {STREAM: Counter(0), INFO: Counter(0), ADDED: Counter(0), SENT: Counter(0)})],
        {"AppLogsSilent": ("0:50:00", "0:40:00")},
    ),
    Day(
        "the log sink refuses lines",
        2,
        [Change(1800, 5400, {SENT: Counter(0)})],
        {"AppLogSinkFailing": ("0:45:00", "0:45:00")},
    ),
    # The app fails.
    Day(
        "the machine is lost for half an hour",
        1.5,
        [Change(1800, 3600, {PROBE: 0, OK: Counter(0), FAILED: Counter(5), SAMPLES: 9, **gone(*OF_MACHINE)})],
        {
            "AppHealthDown": ("0:31:00", "0:29:00"),
            "AppHealthFlapping": ("0:37:15", "0:35:30"),
            "AppNoMachine": ("0:34:00", "0:26:00"),
        },
    ),
    Day(
        "a crash loop that a rollback ends",
        2,
        [change for at in range(1800, 3600, 120) for change in restart(at, 30, code=1)],
        {
            "AppHealthFlapping": ("0:43:15", "0:22:00"),
            "AppMachineExitedWithError": ("0:30:00", "0:33:15"),
            "AppRestartLoop": ("0:34:30", "0:28:30"),
            "AppServerErrors": ("0:33:30", "0:26:45"),
        },
    ),
    Day(
        "a leak of memory",
        6,
        [
            Change(HOUR, 5 * HOUR, {AVAILABLE: Ramp(300 << 20, 5 << 20)}),
            *restart(5 * HOUR, 30, code=137),
            Change(5 * HOUR, 5 * HOUR + STEP, {KILLED: 1}),
        ],
        {
            "AppMachineExitedWithError": ("5:00:00", "0:05:15"),
            "AppMemoryLow": ("4:32:30", "0:28:00"),
            "AppOutOfMemory": ("5:00:00", "0:10:15"),
        },
    ),
    Day(
        "more traffic than the machine can serve",
        2,
        [
            Change(
                1800,
                5400,
                {
                    OK: Counter(50),
                    FAST: Counter(5),
                    SLOW: Counter(50),
                    ANY: Counter(50),
                    THROTTLE: Counter(600),
                    INFO: Counter(900),
                },
            )
        ],
        {
            "AppCpuThrottled": ("0:54:15", "0:41:15"),
            "AppLogVolume": ("0:43:15", "0:53:15"),
            "AppSlow": ("0:40:15", "0:59:15"),
        },
    ),
    Day(
        "a bug that logs errors",
        1,
        [Change(1800, 2700, {ERROR: Counter(2)})],
        {"AppErrorBurst": ("0:31:15", "0:17:15")},
    ),
    Day(
        "the certificate is not renewed",
        8,
        fires={
            "AppCertificateExpiring": ("1:00:00", "7:00:15"),
            "AppCertificateExpiringSoon": ("6:10:15", "1:50:00"),
        },
        base={CERTIFICATE: (3 * 24 + 6) * HOUR},
    ),
    # The data is in danger.
    Day(
        "the bucket refuses the keys after a restart",
        10,
        [*restart(1800, 30), Change(1830, 8 * HOUR, {TXID: 0, PUTS: None, SYNC_ERRORS: Counter(0.05), VERIFIED: 0})],
        {
            "AppBackupErrors": ("0:35:30", "7:39:15"),
            "AppBackupStale": ("0:50:00", "7:10:00"),
            "AppBackupUnverified": ("1:10:00", "6:50:00"),
        },
    ),
    Day(
        "a release without Litestream",
        2,
        [*restart(1800, 30), Change(1830, 5400, gone(*OF_LITESTREAM))],
        {"AppBackupSilent": ("0:45:00", "0:45:00")},
    ),
    Day(
        "the disk fills up, and is extended",
        24,
        [
            Change(4 * HOUR, 18 * HOUR, {FREE: Ramp(2_000_000, 50_000)}),
            Change(18 * HOUR, 19 * HOUR, {FREE: 50_000}),
            Change(19 * HOUR, 24 * HOUR + STEP, {FREE: 2_600_000, BLOCKS: 5_200_000}),
        ],
        {
            "AppVolumeFilling": ("15:48:45", "3:11:15"),
            "AppVolumeFull": ("17:27:45", "1:32:15"),
            "AppVolumeFullInADay": ("7:31:00", "11:44:45"),
        },
    ),
    Day(
        "the volume is not mounted",
        2,
        [*restart(1800, 30), Change(1800, 5400, gone(FREE, BLOCKS))],
        {"AppVolumeUnmeasured": ("1:00:00", "0:30:00")},
    ),
)
