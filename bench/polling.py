"""The polls of an hour in which Apple processes a build, on a simulated clock, and the rate limit that is left."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.in_process import configured, world_in_process
from bench.options import Options
from harness.appstore import build_arguments, make_app
from harness.driver import Driven
from harness.inprocess import ASC_KEY_ID
from providers.appstore.build_upload import BuildUploadProvider
from providers.appstore.processed_build import ProcessedBuildProvider
from rehearsal.cloud.appstore.auth import MAX_HOURLY_CALLS
from rehearsal.cloud.clock import Delays

AN_HOUR = Delays(rate_scale=1.0, upload_processing=600, build_visible=2400, build_processing=600)


def run(options: Options) -> None:
    for left in (MAX_HOURLY_CALLS, MAX_HOURLY_CALLS // 10):
        with world_in_process() as world, TemporaryDirectory() as folder:
            app = make_app(world, configured)
            world.delays = AN_HOUR
            build = Driven(configured(BuildUploadProvider))
            build.up(**build_arguments(Path(folder), app))
            api: Any = world.services["appstore"]
            for _ in range(MAX_HOURLY_CALLS - left):  # calls of another client with the same key
                api.hourly_limit.count(ASC_KEY_ID)
            seen, began = len(world.journal.entries("appstore")), world.clock.now()
            gate = Driven(configured(ProcessedBuildProvider))
            gate.up(app_id=app, upload_id=build.id, short_version="1.0.0", version="0")
            calls = len(world.journal.entries("appstore")) - seen
            minutes = (world.clock.now() - began) / 60
            print(
                f"  {minutes:.0f} minutes of waiting: {calls} calls, {calls / left:.0%} of the {left} calls left in the hour",
                flush=True,
            )
