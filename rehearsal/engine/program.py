"""Runs a Pulumi program as the Python language host does. A script of its own process, never imported.

Arguments: monitor address, engine address, project, stack, `preview` or `update`. The current directory is the project's.
The configuration comes in `PULUMI_CONFIG` and `PULUMI_CONFIG_SECRET_KEYS`, where the SDK looks for it.
"""

import asyncio
import logging
import os
import runpy
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor

ERROR_WAS_SHOWN = 32
THREADS = 64
"""Each registered resource holds one while the engine works on it."""


def main(monitor: str, engine: str, project: str, stack: str, phase: str) -> int:
    threading.Thread(target=_end_with_engine, daemon=True).start()
    import pulumi
    from pulumi.runtime.stack import run_in_stack

    pulumi.runtime.set_all_config(pulumi.runtime.get_config_env(), pulumi.runtime.get_config_secret_keys_env())
    settings = pulumi.runtime.Settings(
        monitor=monitor,
        engine=engine,
        project=project,
        stack=stack,
        parallel=THREADS,
        dry_run=phase == "preview",
        organization="organization",
        root_directory=".",
    )
    pulumi.runtime.configure(settings)
    sys.argv = ["."]
    sys.path[0] = ""  # Not this script's folder, whose modules are nobody else's business.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # A failed step leaves futures that nobody awaits.

    def run() -> None:
        runpy.run_path("__main__.py", run_name="__main__")

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    with ThreadPoolExecutor(THREADS) as threads:
        loop.set_default_executor(threads)
        try:
            loop.run_until_complete(run_in_stack(run))
        except pulumi.RunError as error:
            pulumi.log.error(str(error))
            return ERROR_WAS_SHOWN
        except Exception:  # noqa: BLE001 (whatever the program did wrong is shown)
            pulumi.log.error(f"Program failed with an unhandled exception:\n{traceback.format_exc()}")
            return ERROR_WAS_SHOWN
    return 0


def _end_with_engine() -> None:
    """Standard input ends when the engine does, also where that is killed: nobody would answer this program any more."""
    while os.read(0, 1024):
        pass
    os._exit(ERROR_WAS_SHOWN)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
