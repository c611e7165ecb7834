"""What one more resource costs in a preview: 1 and 10 backends in one program, compared to as many empty resources; and the calls for
1, 10 and 50 secrets.

The difference between the two programs is divided by the number of resources in it, so that imports and the start of the engine do
not count.
"""

import re
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.counted import report
from bench.floors import floor
from bench.in_process import configured, world_in_process
from bench.options import Options
from bench.paired import Paired, alternated
from bench.smallest import Need
from harness.driver import Driven
from harness.program import Stack, doubles
from providers.fly.app import AppProvider
from providers.fly.secrets import SecretsProvider

BACKENDS = Path(__file__).with_name("backends.py")
FEW, MANY = 1, 10
SECRETS = (1, 10, 50)
FIRST_SECRETS = (Need("fly POST /v1/apps/*/secrets", 1, "all secrets in one call"),)


def run(options: Options) -> None:
    _backends(options.rounds)
    _secrets()


def _backends(rounds: int) -> None:
    with TemporaryDirectory(prefix="bench-") as name, doubles(Path(name)) as addresses:
        stack = Stack(Path(name), addresses)
        program = stack.project / "__main__.py"
        program.write_text(BACKENDS.read_text(encoding="utf-8"), encoding="utf-8")

        def preview(backends: int) -> None:
            stack.environment["BACKENDS"] = str(backends)
            if stack.run("preview"):
                raise SystemExit(f"preview failed:\n{stack.text}")

        created = {}
        for backends in (FEW, MANY):
            preview(backends)
            created[backends] = int(re.findall(r"\+ (\d+) to create", stack.text)[-1])
        more = created[MANY] - created[FEW]
        with (
            floor("embedded", created[FEW], deployed=False) as empty_few,
            floor("embedded", created[MANY], deployed=False) as empty_many,
        ):
            ways = [
                partial(preview, FEW),
                partial(preview, MANY),
                partial(empty_few, "preview"),
                partial(empty_many, "preview"),
            ]
            few, many, floor_few, floor_many = alternated(ways, rounds)
    ours = [(after.cpu - before.cpu) / more for before, after in zip(few, many, strict=True)]
    theirs = [(after.cpu - before.cpu) / more for before, after in zip(floor_few, floor_many, strict=True)]
    print(
        f"  {FEW} and {MANY} backends, {more} resources more: each {Paired(ours, theirs).ratio:.2f} times an empty one",
        flush=True,
    )


def _secrets() -> None:
    for count in SECRETS:
        with world_in_process() as world:
            Driven(configured(AppProvider)).up(name="solos-1", org="sol-labs")
            seen = len(world.journal.entries("fly"))
            values = {f"SECRET_{number}": "x" * 32 for number in range(count)}
            Driven(configured(SecretsProvider)).up(app="solos-1", values=values)
            report(f"setting {count} secrets", world.journal.entries("fly")[seen:], FIRST_SECRETS)
