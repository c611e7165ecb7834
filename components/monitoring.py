"""The monitor: a second, small and private app in another region, with one machine for each of its programs.

It is made beside the backend, of which it needs the names only. What it runs and with which files is in
components/monitor_machines.py; what it finds out and does is proven after both stand (`Watch`, `AlertDrill`).
"""

import pulumi

from components.backend import Backend
from components.monitor_machines import IMAGES, Monitored, alertmanager_yml, in_base64, machines, names
from components.monitoring_settings import ENDING, MonitoringSettings
from components.settings import BackendSettings
from providers.fly.app import App
from providers.fly.machine import Machine
from providers.fly.secrets import Secrets


class Monitoring(pulumi.ComponentResource):
    """Each machine is in `machines`, by the name of its program."""

    machines: dict[str, Machine]

    def __init__(self, name: str, settings: MonitoringSettings, watched: BackendSettings, *, backend: Backend) -> None:
        super().__init__("solos:Monitoring", name)
        inner = pulumi.ResourceOptions(parent=self)
        app = App("monitor", name=pulumi.Output.concat(backend.app, ENDING), org=watched.org, opts=inner)
        secrets = Secrets("monitor-secrets", app=app.name, values=_secrets(settings, watched), opts=inner)
        configs = pulumi.Output.all(backend.app, app.name, backend.hostname).apply(
            lambda known: machines(
                Monitored(
                    app=known[0],
                    monitor=known[1],
                    org=watched.org,
                    hostname=known[2],
                    health_path=watched.health_path,
                    sqlite=watched.machine.mount is not None,
                    replica=watched.has_replica,
                    logs=settings.logs,
                    sink=settings.sink,
                    sink_url=settings.sink_url,
                    sink_user=settings.sink_user,
                )
            )
        )
        self.machines = {
            program: Machine(
                program,
                app=app.name,
                name=program,
                region=settings.region,
                config=configs[program],
                image=IMAGES[program],
                secrets_version=secrets.version,
                opts=inner,
            )
            for program in names(logs=settings.logs)
        }
        self.app = app.name
        self.register_outputs({"app": app.name})


def _secrets(settings: MonitoringSettings, watched: BackendSettings) -> dict[str, str]:
    """Those that become files travel in base64. Every machine of the app sees them all."""
    alertmanager = alertmanager_yml(
        page=settings.page, ticket=settings.ticket, heartbeat=settings.heartbeat, repository=settings.repository
    )
    values = {
        "FILE_FLY_METRICS_TOKEN": in_base64(settings.metrics_token),
        "FILE_ALERTMANAGER_YML": in_base64(alertmanager),
    }
    if settings.logs:
        values |= {"FLY_ORG": watched.org, "FLY_LOGS_TOKEN": settings.metrics_token}
    if settings.sink:
        values["LOG_SINK_TOKEN"] = settings.sink_token
    return values
