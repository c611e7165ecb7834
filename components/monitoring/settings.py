"""The settings of the monitor: the key `monitoring`, and its secrets in `monitoringSecrets`.

Without it there is no monitor. The log machine, the log sink and the drill are optional. Prometheus, the blackbox
exporter and Alertmanager are not, because the rules need all three.
"""

from collections.abc import Mapping

from components.config import Confidential, SettingText, StackConfig
from components.monitoring import machines
from components.spelling import is_url
from providers.betterstack import monitor

REGION = "ord"
SUFFIX = "-monitor"
"""The monitor's app is named after the backend's."""
MAX_NAME_LENGTH = 63
KEYS = (
    "region",
    "page",
    "ticket",
    "logs",
    "sink",
    "sinkUrl",
    "sinkUser",
    "repository",
    "drill",
    "healthyBody",
    "uptimeCheck",
    "uptimeSeconds",
)
UPTIME_CHECKS = ("betterstack",)
SECRETS = ("metricsToken", "page", "ticket", "heartbeat", "sinkToken")
SCHEME = "FlyV1 "
"""`fly tokens create` prints it before the token. Prometheus adds it, and the log stream takes none."""
WITH_KEY = frozenset({"pagerduty"})
"""Receivers whose secret is a key and not a URL."""

UNUSED_SECRETS = SettingText(
    "monitoringSecrets", "is set, and `monitoring` is empty", remedy="set `monitoring`, or remove it"
)
SAME_REGION = SettingText(
    "monitoring.region",
    "{region} is the region of the app, and both would fail together",
    remedy="set another region",
)
LONG_NAME = SettingText("app", "{name!r}, the name of the monitor, is too long", remedy="use a shorter app name")
SINK_MISSING = SettingText("monitoring.sink", "is missing", remedy="set it to {sinks}")
SINK_WITHOUT_LOGS = SettingText(
    "monitoring.sink", "gets no lines without the log machine", remedy="remove `logs: false`"
)
SINK_URL = SettingText("monitoring.sinkUrl", "must be the URL that log lines are sent to")
SINK_USER = SettingText(
    "monitoring.sinkUser", "is missing", remedy="set it: without a user Telegraf sends no password to Loki"
)
OTHER_UPTIME_CHECK = SettingText("monitoring.uptimeCheck", "must be {services}, not {service!r}")
NO_UPTIME_CHECK = SettingText("monitoring.uptimeCheck", "is missing", remedy="set it to {services}")
SECRET_MISSING = SettingText(
    "monitoringSecrets.{name}",
    "is missing: {purpose}",
    remedy="run `pulumi config set --secret --path 'monitoringSecrets.{name}' --stack STACK`",
)
NOT_A_URL = SettingText("monitoringSecrets.{name}", "must be a URL that begins with https://")


class MonitoringSettings(Confidential, frozen=True, kw_only=True):
    region: str
    metrics_token: str
    """A read-only token of the organisation, for metrics and the log stream."""
    page: "machines.Receiver"
    ticket: "machines.Receiver"
    heartbeat: str
    """Dead man's switch: a URL outside of Fly whose service alerts when it is no longer called."""
    logs: bool
    """Whether there is a machine that reads the log stream."""
    sink: str | None
    """Where log lines are sent, one of SINKS; None for nowhere."""
    sink_url: str
    sink_user: str
    sink_token: str
    healthy_body: str
    """Text that a healthy response contains, whatever the release; empty for any response."""
    repository: str
    """URL prefix of the runbook links in alerts."""
    drill: bool
    """Whether `up` proves that the monitor sees the backend, and that an alert arrives, whenever the alert path changes."""
    uptime_seconds: int | None
    """How often a service outside of Fly requests the health URL; None if none does."""


def read_monitoring(config: StackConfig, app: str, app_region: str) -> MonitoringSettings | None:
    """The settings; None without a monitor. `app` runs in `app_region`. Problems are added to `config`."""
    given, secrets = config.table("monitoring", KEYS), config.secrets("monitoringSecrets", SECRETS)
    if not given:
        if secrets:
            config.refuse(UNUSED_SECRETS(), lacks=("monitoring",))
        return None
    page = _receiver(config, given, secrets, "page")
    settings = MonitoringSettings(
        region=given.get("region", REGION),
        metrics_token=_secret(config, secrets, "metricsToken", "a token of `fly tokens create readonly`").removeprefix(
            SCHEME
        ),
        page=page,
        ticket=_receiver(config, given, secrets, "ticket") if "ticket" in given else page,
        heartbeat=_url(config, "heartbeat", _secret(config, secrets, "heartbeat", "the URL of a dead man's switch")),
        logs=config.flag_in("monitoring", given, "logs", default=True),
        sink=given.get("sink"),
        sink_url=given.get("sinkUrl", ""),
        sink_user=given.get("sinkUser", ""),
        sink_token=secrets.get("sinkToken", ""),
        healthy_body=given.get("healthyBody", ""),
        repository=given.get("repository", ""),
        drill=config.flag_in("monitoring", given, "drill", default=True),
        uptime_seconds=_uptime_seconds(config, given),
    )
    if settings.region == app_region:
        config.refuse(SAME_REGION(region=app_region))
    if len(app + SUFFIX) > MAX_NAME_LENGTH:
        config.refuse(LONG_NAME(name=app + SUFFIX))
    _check_sink(config, settings)
    return settings


def _uptime_seconds(config: StackConfig, given: Mapping[str, str]) -> int | None:
    service = given.get("uptimeCheck")
    if service is None:
        if "uptimeSeconds" in given:
            config.refuse(NO_UPTIME_CHECK(services=" or ".join(UPTIME_CHECKS)))
        return None
    if service not in UPTIME_CHECKS:
        config.refuse(OTHER_UPTIME_CHECK(services=" or ".join(UPTIME_CHECKS), service=service))
    seconds = config.whole_in("monitoring", given, "uptimeSeconds", default=monitor.DEFAULT_SECONDS)
    check = monitor.MonitorArgs(name="", url="", seconds=seconds)
    config.refuse_all("monitoring.uptimeSeconds", monitor.MonitorProvider().validate(check, None))
    return seconds


def _check_sink(config: StackConfig, settings: MonitoringSettings) -> None:
    if settings.sink is None:
        if settings.sink_url or settings.sink_token:
            config.refuse(SINK_MISSING(sinks=" or ".join(machines.SINKS)))
        return
    if settings.sink not in machines.SINKS:
        config.refuse_other("monitoring.sink", settings.sink, machines.SINKS)
    if not settings.logs:
        config.refuse(SINK_WITHOUT_LOGS())
    if not is_url(settings.sink_url):
        config.refuse(SINK_URL())
    if settings.sink == "loki" and not settings.sink_user:
        config.refuse(SINK_USER())
    if not settings.sink_token:
        config.refuse(SECRET_MISSING(name="sinkToken", purpose="the password or token of the sink"))


def _receiver(
    config: StackConfig, given: Mapping[str, str], secrets: Mapping[str, str], name: str
) -> "machines.Receiver":
    kind = given.get(name, "")
    if kind not in machines.RECEIVERS:
        config.refuse_other(f"monitoring.{name}", kind, machines.RECEIVERS)
    secret = _secret(config, secrets, name, f"the URL or key of the {kind or 'receiver'}")
    return machines.Receiver(kind=kind, secret=secret if kind in WITH_KEY else _url(config, name, secret))


def _secret(config: StackConfig, secrets: Mapping[str, str], name: str, purpose: str) -> str:
    if not secrets.get(name):
        config.refuse(SECRET_MISSING(name=name, purpose=purpose))
    return secrets.get(name, "")


def _url(config: StackConfig, name: str, secret: str) -> str:
    """The secret, which must be a URL. The problem does not contain its value."""
    if secret and not is_url(secret):
        config.refuse(NOT_A_URL(name=name))
    return secret
