"""A program with `BACKENDS` backends, which the benchmark `scale` puts in the place of the launch's."""

import asyncio
import gc

gc.disable()

import os
from pathlib import Path

import pulumi
from msgspec.structs import replace

from components.backend.component import Backend
from components.settings import read

gc.freeze()

settings = read(
    pulumi.runtime.get_config_env(),
    pulumi.runtime.get_config_secret_keys_env(),
    Path(__file__).parent,
    pulumi.get_project(),
    Path(__file__).parent / f"Pulumi.{pulumi.get_stack()}.yaml",
)
for number in range(int(os.environ["BACKENDS"])):
    Backend(f"backend-{number}", replace(settings.backend, app=f"app-{number}"))


async def begin_registrations() -> None:
    await asyncio.sleep(0)


pulumi.run(begin_registrations)
