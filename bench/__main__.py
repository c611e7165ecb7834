"""`python -m bench [NAME …]`: run the named benchmarks, or all."""

import argparse
import os
import sys
import time

from bench import calls, deploys, imports, ipas, load, polling, previews, scale, stacks, testers, uploads
from bench.options import Options

BENCHES = {
    "imports": imports.run,
    "previews": previews.run,
    "calls": calls.run,
    "testers": testers.run,
    "polling": polling.run,
    "deploys": deploys.run,
    "load": load.run,
    "uploads": uploads.run,
    "ipas": ipas.run,
    "scale": scale.run,
    "stacks": stacks.run,
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHES)}; default: all")
    parser.add_argument("--rounds", type=int, default=Options.rounds, help="how often to measure each pair")
    parser.add_argument(
        "--mib", type=int, nargs="+", default=Options.mib, help="sizes of the IPAs to upload (4096 for 4 GiB)"
    )
    options = parser.parse_args(arguments)
    unknown = set(options.names) - BENCHES.keys()
    if unknown:
        parser.error(f"unknown benchmark {', '.join(sorted(unknown))}: choose from {', '.join(BENCHES)}")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # later runs use the bytecode of the first, as on a user's machine
    for name in options.names or BENCHES:
        began = time.monotonic()
        print(f"{name}", flush=True)
        BENCHES[name](Options(rounds=options.rounds, mib=tuple(options.mib)))
        print(f"  (measured in {time.monotonic() - began:.0f} s)\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
