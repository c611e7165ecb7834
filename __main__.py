"""The solos launch: settings, then what it is made of."""

import os
import signal

# A failed step, and Ctrl-C, end the program at once, and not with a traceback after seconds (pulumi-engine.md, section 5).
signal.signal(signal.SIGINT, lambda *_: os._exit(32))

from pathlib import Path  # noqa: E402

import pulumi  # noqa: E402

from components.backend.component import Backend  # noqa: E402
from components.launch.component import Launch  # noqa: E402
from components.monitoring.component import Monitoring  # noqa: E402
from components.settings import BadSettings  # noqa: E402
from components.settings import read as read_settings  # noqa: E402
from components.testflight.component import TestFlight  # noqa: E402

try:
    settings = read_settings(
        pulumi.runtime.get_config_env(), pulumi.runtime.get_config_secret_keys_env(), Path(__file__).parent
    )
except BadSettings as bad:
    raise pulumi.RunError(str(bad)) from None

backend = Backend("backend", settings.backend, protect=settings.protect)
monitoring = settings.monitoring and Monitoring("monitoring", settings.monitoring, settings.backend, backend=backend)
testflight = TestFlight(
    "testflight",
    settings.ios,
    settings.release,
    backend_url=backend.url,
    backend_verified=backend.rollout,
    protect=settings.protect,
)

launch = Launch(
    "launch",
    settings.launch,
    settings.release,
    backend=backend,
    monitoring=monitoring,
    testflight=testflight,
    org=settings.backend.org,
    protect=settings.protect,
)

pulumi.export("url", backend.url)
pulumi.export("health", pulumi.Output.concat(backend.url, backend.health_path))
pulumi.export("image", backend.image)
pulumi.export("lastUpdate", backend.last_update)
if backend.certificate:
    pulumi.export("certificate", backend.certificate)
pulumi.export("build", f"{settings.release.version} ({settings.release.build})")
pulumi.export("testers", [tester.email for tester in settings.ios.testers])
pulumi.export("notInstalledBy", testflight.installations.missing)
pulumi.export("smokeTest", settings.launch.smoke_test.summary())
pulumi.export("waivers", {row: {"reason": each.reason, "by": each.by} for row, each in settings.launch.waivers.items()})
pulumi.export("launch", launch.status)
pulumi.export("readme", (Path(__file__).parent / "Pulumi.README.md").read_text(encoding="utf-8"))
