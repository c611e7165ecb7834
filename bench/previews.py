"""A preview and an `up` without changes of the whole launch, compared to two stacks of empty resources (`floors.py`).

None makes a call, so this measures the cost of the program, its imports and the provider base class.
"""

from functools import partial

from bench.floors import floor, is_dynamic
from bench.launched import engines, new_launch
from bench.options import Options
from bench.paired import Paired, Spent, alternated

OPERATIONS = ("preview", "up")
FLOORS = ("F1", "F2")


def run(options: Options) -> None:
    for engine in engines():
        with new_launch(engine) as launch:
            launch.first_up()
            launch.install()
            resources = launch.stack.resources()
            dynamic = sum(map(is_dynamic, resources))
            with floor(engine, dynamic) as count, floor(engine, dynamic, resources) as graph:
                for operation in OPERATIONS:
                    ways = [partial(way, operation, "--expect-no-changes") for way in (launch.run, count, graph)]
                    ours, *floors = alternated(ways, options.rounds)
                    for name, theirs in zip(FLOORS, floors, strict=True):
                        print(f"  {engine}, {operation:<8}{_ratios(ours, theirs)} of {name}", flush=True)


def _ratios(ours: list[Spent], theirs: list[Spent]) -> str:
    cpu = Paired([each.cpu for each in ours], [each.cpu for each in theirs])
    return f"{Paired([each.time for each in ours], [each.time for each in theirs])}, CPU {cpu}"
