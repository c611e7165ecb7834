"""The launch: settings, deployment, monitoring, launch, stack outputs."""

import asyncio
import gc
import os
import signal
import sys

# Ctrl-C, and the engine's SIGINT after a failed step, end the program at once and without a traceback, even during the imports.
signal.signal(signal.SIGINT, lambda *_: os._exit(32))

# The program ends once it has declared everything, and leaves little garbage. Collecting what the imports create, during the imports
# and at exit, takes a tenth of a preview's CPU time.
gc.disable()

from importlib.util import cache_from_source
from pathlib import Path

import pulumi

from components.deployment import Deployment
from components.launch.component import Launch
from components.monitoring import component as monitor
from components.monitoring.settings import SUFFIX
from components.settings import BadSettings
from components.settings import read as read_settings

gc.freeze()

FOLDER = Path(__file__).parent

if sys.dont_write_bytecode and not Path(cache_from_source(str(FOLDER / "components" / "deployment.py"))).exists():
    pulumi.log.info("PYTHONDONTWRITEBYTECODE is set: Python compiles this program in every run, twice; unset it")

try:
    settings = read_settings(
        pulumi.runtime.get_config_env(),
        pulumi.runtime.get_config_secret_keys_env(),
        FOLDER,
        pulumi.get_project(),
        FOLDER / f"Pulumi.{pulumi.get_stack()}.yaml",
    )
except BadSettings as bad:
    raise pulumi.RunError(str(bad)) from None

protected = pulumi.ResourceOptions(protect=settings.protect)

deployment = Deployment(
    pulumi.get_project(),
    settings.backend,
    settings.ios,
    settings.release,
    protected,
    declared_by=settings.launch.declared_by,
    installations_due=settings.launch.installations_due,
    monitor_suffix=SUFFIX if settings.monitoring else "",
)
backend = deployment.backend
monitoring = monitor.Monitoring("monitoring", settings.monitoring, backend, protected) if settings.monitoring else None
launch = Launch(
    "launch",
    settings.launch,
    settings.release,
    deployment=deployment,
    monitoring=monitoring,
    opts=protected,
)

# Texts of one line: after an `up` that fails, the CLI lists all outputs as if they were deleted.
pulumi.export("url", backend.url)
pulumi.export("health", pulumi.Output.concat(backend.url, backend.health_path))
pulumi.export("image", backend.image)
pulumi.export("lastUpdate", backend.last_update)
if backend.certificate:
    pulumi.export("certificate", backend.certificate)
pulumi.export("build", deployment.build_name)
pulumi.export("testers", ", ".join(tester.email for tester in settings.ios.testers))
pulumi.export("notInstalledBy", deployment.not_installed_by)
pulumi.export("smokeTest", settings.launch.smoke_test.counts)
pulumi.export("launch", launch.status)
pulumi.export("reportInput", settings.report_input())
pulumi.export("readme", (FOLDER / "Pulumi.README.md").read_text(encoding="utf-8"))


async def begin_registrations() -> None:
    """Let every registration begin, so that the SDK waits for them one by one. Otherwise it waits for all outputs together, and goes
    through those that are left each time one becomes known: a tenth of a preview's CPU time, and more with more resources."""
    await asyncio.sleep(0)


pulumi.run(begin_registrations)
