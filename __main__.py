"""The solos launch: settings, then what it is made of."""

import os
import signal

# A failed step, and Ctrl-C, end the program at once, and not with a traceback after seconds (pulumi-engine.md, section 5).
signal.signal(signal.SIGINT, lambda *_: os._exit(32))

from pathlib import Path  # noqa: E402

import pulumi  # noqa: E402

from components import settings  # noqa: E402
from components.backend import Backend  # noqa: E402
from components.testflight import TestFlight  # noqa: E402

try:
    launch = settings.read(
        pulumi.runtime.get_config_env(), pulumi.runtime.get_config_secret_keys_env(), Path(__file__).parent
    )
except settings.BadSettings as bad:
    raise pulumi.RunError(str(bad)) from None

backend = Backend("backend", launch.backend, protect=launch.protect)
testflight = TestFlight(
    "testflight",
    launch.ios,
    launch.release,
    backend_url=backend.url,
    backend_verified=backend.rollout,
    protect=launch.protect,
)

pulumi.export("url", backend.url)
pulumi.export("image", backend.image)
pulumi.export("verifiedAt", backend.rollout.verified_at)
pulumi.export("build", testflight.build.upload_id)
pulumi.export("notInstalledBy", testflight.installations.missing)
