"""An alert fires when the backend is down: the page arrives, and is resolved when the backend is up again.

The monitor is real: Prometheus probes the public URL, Alertmanager sends the page. Its durations are divided by 30. The backend is
stopped by hand, a page arrives, the backend is started again, and the page is resolved. Then the monitor itself is stopped, and the
dead man's switch outside of Fly detects the missing heartbeat.
"""

import time
from collections.abc import Callable

from rehearsal.cloud.fly.programs import PROGRAMS
from rehearsal.drills.drill import Drill, Failed
from rehearsal.receivers import SPEED, receivers, without_logs

NOTICE_SECONDS = 90.0
"""Time limit for each notification."""
ALERT = "AppHealthDown"
NEEDED = ("prom/prometheus", "prom/alertmanager", "prom/blackbox-exporter")


def run(drill: Drill) -> None:
    missing = [PROGRAMS[name].binary for name in NEEDED if PROGRAMS[name].path() is None]
    if missing:
        raise Failed(f"not installed: {', '.join(missing)}; `make monitoring-tools` installs what it can")
    drill.doubles.do("/delays", monitor_speed=SPEED)
    settings = receivers(drill.stack, drill.doubles.control)
    monitoring, secrets = settings["monitoring"], settings["monitoringSecrets"]
    has_logs = PROGRAMS["telegraf"].path() is not None
    if not has_logs:
        monitoring, secrets = without_logs(monitoring, secrets)
    drill.edit(monitoring=monitoring, monitoringSecrets=secrets)
    drill.launch()
    drill.promise(
        "`up` sent the page AppDrill, and resolved it",
        _notices(drill, "AppDrill") == ["firing", "resolved"],
    )

    if has_logs:
        _until(lambda: drill.app in _logged(drill))
        drill.promise("a log line of the backend has arrived at the sink", drill.app in _logged(drill))

    drill.say("Somebody stops the server by hand, with `fly machine stop`.")
    drill.doubles.fly("POST", f"/apps/{drill.app}/machines/{drill.machine['id']}/stop")
    _until(lambda: _notices(drill, ALERT) == ["firing"])
    drill.promise(f"the page {ALERT} has arrived", _notices(drill, ALERT) == ["firing"])
    _show(drill)

    drill.say("The person on call reads infra-docs/ALERTS.md, and starts the machine again.")
    drill.doubles.fly("POST", f"/apps/{drill.app}/machines/{drill.machine['id']}/start")
    _until(lambda: _notices(drill, ALERT) == ["firing", "resolved"])
    drill.promise("the page is resolved", _notices(drill, ALERT) == ["firing", "resolved"])

    drill.say("The monitor stops. It cannot report that itself; its heartbeats to the dead man's switch stop.")
    drill.promise("heartbeats have arrived until now", not drill.doubles.see("/deadman")["silent"])
    prometheus = next(
        machine for machine in drill.doubles.see("/fly/state")["fly_machine"] if machine["name"] == "prometheus"
    )
    drill.doubles.fly("POST", f"/apps/{prometheus['_app']}/machines/{prometheus['id']}/stop")
    _until(lambda: drill.doubles.see("/deadman")["silent"])
    drill.promise("the dead man's switch alerts", drill.doubles.see("/deadman")["silent"])


def _logged(drill: Drill) -> set[str]:
    """The apps whose log lines have arrived at the sink."""
    return {line["labels"]["app"] for line in drill.doubles.see("/lines")}


def _notices(drill: Drill, alert: str) -> list[str]:
    """The states of the alert that the pager received, in order."""
    notices = drill.doubles.see("/receivers/page")
    return [item["status"] for notice in notices for item in notice["alerts"] if item["alertname"] == alert]


def _show(drill: Drill) -> None:
    for notice in drill.doubles.see("/receivers/page"):
        for item in notice["alerts"]:
            if item["alertname"] == ALERT:
                print(f"    page: {item['alertname']} {item['status']}", flush=True)


def _until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + NOTICE_SECONDS
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.1)
