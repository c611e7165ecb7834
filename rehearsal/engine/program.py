"""Runs a Pulumi program like the Python language host. Started as a script in a process of its own.

Arguments: monitor address, engine address, project, stack, `preview` or `update`. The current directory is the project's.
The configuration is in `PULUMI_CONFIG` and `PULUMI_CONFIG_SECRET_KEYS`, where the SDK reads it.
"""

import asyncio
import gc
import logging
import os
import runpy
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor

ERROR_WAS_SHOWN = 32
THREADS = 64
"""Each registration in progress needs a thread."""


def main(monitor: str, engine: str, project: str, stack: str, phase: str) -> int:
    threading.Thread(target=_exit_with_engine, daemon=True).start()
    gc.disable()  # what the imports create stays until the end
    import pulumi
    from pulumi.runtime.stack import run_in_stack

    gc.freeze()
    gc.enable()
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
    pulumi.log.debug = lambda *_, **__: None  # this engine does not show them, and the program waits for each call
    sys.argv = ["."]
    sys.path[0] = ""  # instead of the folder of this script
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # futures of a failed step are never awaited

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
        except Exception:  # noqa: BLE001 (any error of the program is shown)
            pulumi.log.error(f"Program failed with an unhandled exception:\n{traceback.format_exc()}")
            return ERROR_WAS_SHOWN
    return 0


def _exit_with_engine() -> None:
    """Exit with the engine: standard input closes, even if the engine is killed."""
    while os.read(0, 1024):
        pass
    os._exit(ERROR_WAS_SHOWN)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
