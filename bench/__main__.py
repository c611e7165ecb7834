"""`python -m bench [NAME …]`: measure what is named, or everything."""

import argparse
import os
import sys
import time

from bench import calls, deploys, imports, polling, previews, testers, uploads
from bench.options import Options

BENCHES = {
    "imports": imports.run,
    "previews": previews.run,
    "calls": calls.run,
    "testers": testers.run,
    "polling": polling.run,
    "deploys": deploys.run,
    "uploads": uploads.run,
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}; all without one")
    parser.add_argument("--rounds", type=int, default=Options.rounds, help="how often each pair is measured")
    parser.add_argument(
        "--mib", type=int, nargs="+", default=Options.mib, help="sizes of the IPAs that are uploaded (4096 for 4 GiB)"
    )
    given = parser.parse_args(arguments)
    unknown = set(given.names) - BENCHES.keys()
    if unknown:
        parser.error(f"there is no bench {', '.join(sorted(unknown))}: choose of {', '.join(BENCHES)}")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # A second run finds its bytecode, as on anybody's machine.
    for name in given.names or BENCHES:
        began = time.monotonic()
        print(f"{name}", flush=True)
        BENCHES[name](Options(rounds=given.rounds, mib=tuple(given.mib)))
        print(f"  (measured in {time.monotonic() - began:.0f} s)\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
