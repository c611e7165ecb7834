"""Silences the alerts that an update of a machine causes, in the Alertmanager of the app that monitors it.

Alerts say in their label `deploy` what an update does to them: `mute` alerts fire while the machine restarts, `settle` alerts look
back a few minutes and can fire after it. The silences end with the update, those of `settle` alerts SETTLE_SECONDS later, and all of
them by themselves if this program dies. A monitor that does not work does not stop an update.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from providers import engine
from providers.errors import ProviderError
from providers.fly.api import client, execution, machines

ALERTMANAGER, MACHINE = "http://localhost:9093", "alertmanager"
SETTLE_SECONDS = 330
"""Alerts look back up to 5 minutes, and the newest sample can be 30 seconds old."""
NOT_SILENCED = "the update of app {app} may page, because its alerts were not silenced in monitor {monitor}: {error}"
NOT_ENDED = "the silence of the alerts of app {app} in monitor {monitor} ends within {seconds} s, because: {error}"


@contextmanager
def during_update(fly: "client.Fly", monitor: str | None, app: str, seconds: float) -> Iterator[None]:
    """Silence the alerts of `app` for the block, at most for `seconds`. Does nothing without a monitor that runs."""
    machine_id = _alertmanager(fly, monitor, app) if monitor else None
    if monitor is None or machine_id is None:
        yield
        return
    silence = _Silence(fly, monitor, machine_id, app)
    try:
        id = silence.add("mute|settle", seconds)
    except ProviderError as error:
        engine.note(NOT_SILENCED.format(app=app, monitor=monitor, error=error))
        yield
        return
    try:
        yield
    finally:
        try:
            silence.add("settle", SETTLE_SECONDS)
            silence.expire(id)
        except ProviderError as error:
            engine.note(NOT_ENDED.format(app=app, monitor=monitor, seconds=round(seconds), error=error))


def _alertmanager(fly: "client.Fly", monitor: str, app: str) -> str | None:
    """The id of the machine; None while there is no monitor yet, or it does not run."""
    try:
        living = machines.living(fly, monitor)
    except ProviderError as error:
        engine.note(NOT_SILENCED.format(app=app, monitor=monitor, error=error))
        return None
    return next((machine.id for machine in living if (machine.name, machine.state) == (MACHINE, "started")), None)


class _Silence:
    """Silences of one app. Adding one again after a lost response leaves two, and both end by themselves."""

    def __init__(self, fly: "client.Fly", monitor: str, machine_id: str, app: str) -> None:
        self._fly, self._monitor, self._machine_id, self._app = fly, monitor, machine_id, app

    def add(self, deploy: str, seconds: float) -> str:
        """Silence the alerts with one of these values of the label `deploy`; the id of the silence."""
        options = [f"--duration={round(seconds)}s", "--author=pulumi", "--comment=pulumi up is updating the machine"]
        return self._amtool("add", *options, f"app={self._app}", f'deploy=~"{deploy}"').strip()

    def expire(self, id: str) -> None:
        self._amtool("expire", id)

    def _amtool(self, *arguments: str) -> str:
        command = ["amtool", f"--alertmanager.url={ALERTMANAGER}", "silence", *arguments]
        return execution.execute(self._fly, self._monitor, self._machine_id, command)
