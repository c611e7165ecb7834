"""The monitor: a second, private app in another region, with one machine per program.

It is created in parallel to the backend, because it needs only names of it. Only Prometheus waits until the backend is verified:
before that there is nothing to page for, and the dead man's switch hears nothing. components/monitoring/machines.py has the programs and
their files. An uptime check of another vendor sees what this one cannot: Fly as a whole. `Watch` and `AlertDrill` prove that it works,
once the backend runs.
"""

import hashlib

import pulumi

from components.backend.component import Backend
from components.backend.settings import BackendSettings
from components.base import Component
from components.monitoring.machines import (
    IMAGES,
    Monitored,
    alertmanager_yml,
    in_base64,
    machines,
    names,
    needed_series,
    sources,
)
from components.monitoring.settings import SUFFIX, MonitoringSettings
from providers.betterstack.first_check import FirstCheck, FirstCheckArgs
from providers.betterstack.monitor import Monitor as Uptime
from providers.betterstack.monitor import MonitorArgs as UptimeArgs
from providers.checks.alert_drill import AlertDrill, AlertDrillArgs
from providers.checks.watch import Watch, WatchArgs
from providers.fly.app import App, AppArgs
from providers.fly.machine import Machine
from providers.fly.machine_record import MachineArgs
from providers.fly.secrets import Secrets, SecretsArgs
from providers.fly.survey import Survey, SurveyArgs

DRILL = "AppDrill"
"""Name of the alert that the drill sends."""
COUNTED = 'app_log_lines_total{job="logs"}'
"""The series in which Telegraf counts log lines."""
UPTIME_SUFFIX = " health, by Pulumi"
"""In the name of the uptime check, so that it is not mistaken for one that people have made."""


class Monitoring(Component):
    """Only the launch depends on the monitor."""

    app: pulumi.Output[str]
    machines: dict[str, Machine]
    """By the name of the program."""

    def __init__(
        self,
        name: str,
        settings: MonitoringSettings,
        backend: Backend,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts)
        watched = backend.settings
        app_name = pulumi.Output.concat(backend.app, SUFFIX)
        survey = Survey(
            f"{name}-survey",
            SurveyArgs(app=app_name, org=watched.org, machines=names(logs=settings.logs)),
            self.replaceable_opts(),
        )
        app = App(f"{name}-app", AppArgs(name=app_name, org=watched.org, existed=survey.found_apps), self.child_opts())
        secrets = Secrets(
            f"{name}-secrets",
            SecretsArgs(app=app.name, values=_secrets(settings, watched), existed=survey.found_secrets),
            self.child_opts(),
        )
        # A custom domain is watched once it has its certificate: before, it would page.
        monitored = pulumi.Output.all(backend.app, app.name, backend.hostname).apply(
            lambda known: Monitored(
                app=known[0],
                monitor=known[1],
                org=watched.org,
                hostname=known[2],
                health_path=watched.health_path,
                healthy_body=settings.healthy_body,
                sqlite=watched.database.kind == "sqlite",
                replica=watched.has_replica,
                logs=settings.logs,
                sink=settings.sink,
                sink_url=settings.sink_url,
                sink_user=settings.sink_user,
            )
        )
        configs = monitored.apply(machines)
        self.machines = {
            program: Machine(
                f"{name}-{program}",
                MachineArgs(
                    app=app.name,
                    name=program,
                    region=settings.region,
                    config=configs[program],
                    image=IMAGES[program],
                    secrets_version=secrets.version,
                    existed=survey.found_machines,
                ),
                self.child_opts(*([backend.rollout] if program == "prometheus" else [])),
            )
            for program in names(logs=settings.logs)
        }
        if settings.uptime_seconds:
            self._check_from_outside(settings.uptime_seconds, backend)
        if settings.drill:
            self._prove(settings, backend, app, monitored.apply(needed_series))
        self.app = app.name
        self.register_outputs({"app": app.name})

    def _check_from_outside(self, seconds: int, backend: Backend) -> None:
        """Declare the uptime check once the backend is verified, and wait until it has seen the backend up."""
        uptime = Uptime(
            f"{self.name}-uptime",
            UptimeArgs(
                name=pulumi.Output.concat(backend.app, UPTIME_SUFFIX),
                url=pulumi.Output.concat("https://", backend.hostname, backend.health_path),
                seconds=seconds,
            ),
            self.child_opts(backend.rollout),
        )
        FirstCheck(
            f"{self.name}-first-check",
            FirstCheckArgs(monitor_id=uptime.id, url=uptime.url, seconds=uptime.seconds),
            self.replaceable_opts(),
        )

    def _prove(
        self, settings: MonitoringSettings, backend: Backend, app: App, rules: pulumi.Output[dict[str, list[str]]]
    ) -> None:
        """Once the backend is verified, prove that Prometheus sees it and that a page arrives."""
        versions = pulumi.Output.all(*(machine.instance_id for machine in self.machines.values()))
        Watch(
            f"{self.name}-watch",
            WatchArgs(
                app=app.name,
                machine_id=self.machines["prometheus"].id,
                hostname=backend.hostname,
                sources=sources(logs=settings.logs),
                counted=COUNTED,
                has_sink=settings.sink is not None,
                rules=rules,
                revision=versions.apply(",".join),
            ),
            self.replaceable_opts(backend.rollout, *self.machines.values()),
        )
        AlertDrill(
            f"{self.name}-alert-drill",
            AlertDrillArgs(
                app=app.name,
                machine_id=self.machines["alertmanager"].id,
                watched=backend.app,
                alert=DRILL,
                runbook=f"infra-docs/ALERTS.md#alert-{DRILL.lower()}",
                route=_digest(IMAGES["alertmanager"], _alertmanager_yml(settings)),
            ),
            self.replaceable_opts(backend.rollout),
        )


def _secrets(settings: MonitoringSettings, watched: BackendSettings) -> dict[str, str]:
    """The secrets of the app, which all its machines get. Those that become files are in base64."""
    values = {
        "FILE_FLY_METRICS_TOKEN": in_base64(settings.metrics_token),
        "FILE_ALERTMANAGER_YML": in_base64(_alertmanager_yml(settings)),
    }
    if settings.logs:
        values |= {"FLY_ORG": watched.org, "FLY_LOGS_TOKEN": settings.metrics_token}
    if settings.sink:
        values["LOG_SINK_TOKEN"] = settings.sink_token
    return values


def _alertmanager_yml(settings: MonitoringSettings) -> str:
    return alertmanager_yml(
        page=settings.page, ticket=settings.ticket, heartbeat=settings.heartbeat, repository=settings.repository
    )


def _digest(*texts: str) -> str:
    """A hash of the texts: it changes with them, and does not reveal the secrets in them."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
