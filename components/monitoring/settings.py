"""What a stack says about its monitor: `solos:monitoring` in clear, `solos:monitoringSecrets` encrypted.

Without `solos:monitoring` there is no monitor. Of its parts the log machine, the sink of the lines and the drill can be left
out one by one; Prometheus, the prober and Alertmanager are one part, because the rules need all three.
"""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from components.config import StackConfig
from components.monitoring.machines import RECEIVERS, SINKS, Receiver

REGION = "ord"
ENDING = "-monitor"
LONGEST_NAME = 63
KEYS = ("region", "page", "ticket", "logs", "sink", "sinkUrl", "sinkUser", "repository", "drill")
SECRETS = ("metricsToken", "page", "ticket", "heartbeat", "sinkToken")
NO_URL = frozenset({"pagerduty"})
"""Receivers whose secret is a key."""


@dataclass(frozen=True, kw_only=True)
class MonitoringSettings:
    region: str
    metrics_token: str = field(repr=False)
    """A read-only token of the organisation: metrics, and the log stream."""
    page: Receiver
    ticket: Receiver
    heartbeat: str = field(repr=False)
    """The dead man's switch: a URL outside of Fly that alarms when nobody asks it any more."""
    logs: bool
    sink: str | None
    sink_url: str
    sink_user: str
    sink_token: str = field(repr=False)
    repository: str
    """What makes a link of a runbook's path."""
    drill: bool
    """Whether the monitor is proven: asked what it sees, and sent an alert along the whole path whenever that path changes."""


def read_monitoring(config: StackConfig, app: str, app_region: str) -> MonitoringSettings | None:
    """The settings, or None where `app`, which is in `app_region`, has no monitor. What is wrong is noted in `config`."""
    told, secrets = config.table("monitoring", KEYS), config.table("monitoringSecrets", SECRETS)
    if secrets and not config.is_secret("monitoringSecrets"):
        config.refuse(
            "monitoringSecrets", "is readable by everybody; set each with `pulumi config set --secret --path`"
        )
    if not told:
        if secrets:
            config.refuse("monitoringSecrets", "is of no use without solos:monitoring")
        return None
    page = _receiver(config, told, secrets, "page")
    settings = MonitoringSettings(
        region=told.get("region", REGION),
        metrics_token=_secret(config, secrets, "metricsToken", "`fly tokens create readonly` makes one"),
        page=page,
        ticket=_receiver(config, told, secrets, "ticket") if "ticket" in told else page,
        heartbeat=_url(
            config, "heartbeat", _secret(config, secrets, "heartbeat", "the URL that a dead man's switch gave you")
        ),
        logs=config.flag_in("monitoring", told, "logs", default=True),
        sink=told.get("sink"),
        sink_url=told.get("sinkUrl", ""),
        sink_user=told.get("sinkUser", ""),
        sink_token=secrets.get("sinkToken", ""),
        repository=told.get("repository", ""),
        drill=config.flag_in("monitoring", told, "drill", default=True),
    )
    if settings.region == app_region:
        config.refuse("monitoring.region", f"is {app_region}, the app's own: a monitor there would die with the app")
    if len(app + ENDING) > LONGEST_NAME:
        config.refuse("app", f"{app!r} leaves no room for the name of its monitor, {app}{ENDING}: make it shorter")
    _check_sink(config, settings)
    return settings


def _check_sink(config: StackConfig, settings: MonitoringSettings) -> None:
    if settings.sink is None:
        if settings.sink_url or settings.sink_token:
            config.refuse("monitoring.sink", f"is missing: say what kind the sink is, {' or '.join(SINKS)}")
        return
    if settings.sink not in SINKS:
        config.refuse("monitoring.sink", f"must be {' or '.join(SINKS)}, not {settings.sink!r}")
    if not settings.logs:
        config.refuse("monitoring.sink", "gets nothing without the log machine: take `logs: false` away")
    if not _is_url(settings.sink_url):
        config.refuse("monitoring.sinkUrl", "must be the URL to which the lines go")
    if settings.sink == "loki" and not settings.sink_user:
        config.refuse("monitoring.sinkUser", "is missing: without a user Telegraf sends no password to Loki")
    if not settings.sink_token:
        config.refuse("monitoringSecrets.sinkToken", "is missing: the sink's password or token")


def _receiver(config: StackConfig, told: dict[str, str], secrets: dict[str, str], name: str) -> Receiver:
    kind = told.get(name, "")
    if kind not in RECEIVERS:
        config.refuse(f"monitoring.{name}", f"must be {', '.join(RECEIVERS[:-1])} or {RECEIVERS[-1]}, not {kind!r}")
    secret = _secret(config, secrets, name, f"the URL or key of the {kind or 'receiver'}")
    return Receiver(kind=kind, secret=secret if kind in NO_URL else _url(config, name, secret))


def _secret(config: StackConfig, secrets: dict[str, str], name: str, what: str) -> str:
    if not secrets.get(name):
        config.refuse(
            f"monitoringSecrets.{name}",
            f"is missing ({what}); set it with `pulumi config set --secret --path 'solos:monitoringSecrets.{name}'`",
        )
    return secrets.get(name, "")


def _url(config: StackConfig, name: str, secret: str) -> str:
    """`secret` itself; no problem shows it."""
    if secret and not _is_url(secret):
        config.refuse(f"monitoringSecrets.{name}", "must be a URL that begins with https://")
    return secret


def _is_url(text: str) -> bool:
    parts = urlsplit(text)
    return bool(parts.hostname) and parts.scheme in ("http", "https")
