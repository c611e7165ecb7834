"""First deployments of several stacks at once, against the same doubles: the CPU time and the calls of each, compared to one alone.

Apple counts calls by key and Fly by token, so the stacks share each vendor's rate limits.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.options import Options
from bench.paired import Spent, spent
from harness.program import CONFIG, IMAGE, Stack, calls, doubles, people
from rehearsal.doubles import Control


def run(options: Options) -> None:
    alone = _deploy(1)
    for count in options.stacks:
        took, sent = alone if count == 1 else _deploy(count)
        print(
            f"  {count:>2} at once: {took.time / count:.1f} s for each, CPU {took.cpu / count / alone[0].cpu:.2f} and "
            f"calls {sent / count / alone[1]:.2f} times those of one alone",
            flush=True,
        )


def _deploy(count: int) -> tuple[Spent, int]:
    """What it takes to deploy this many new stacks, and the calls to the vendors."""
    with TemporaryDirectory(prefix="bench-") as name, doubles(Path(name)) as addresses, ExitStack() as until_done:
        Control(addresses["control"]).do("/fly/images", reference=IMAGE)
        stacks = [_stack(Path(name), number, addresses) for number in range(count)]
        for stack in stacks:
            until_done.enter_context(people(stack, addresses))
        took = spent(partial(_up_all, stacks))
        return took, len(calls(addresses))


def _up_all(stacks: Sequence[Stack]) -> None:
    with ThreadPoolExecutor(len(stacks)) as pool:
        for stack, code in zip(stacks, pool.map(lambda stack: stack.run("up", "--skip-preview"), stacks), strict=True):
            if code:
                raise SystemExit(f"up failed:\n{stack.text}")


def _stack(root: Path, number: int, addresses: dict[str, str]) -> Stack:
    """A stack of an app of its own, in a folder of its own."""
    folder = root / f"stack-{number}"
    folder.mkdir()
    (folder / "world").symlink_to(root / "world")
    stack = Stack(folder, addresses)
    # Apple allows three certificates for a team.
    stack.configure(bundleId=f"{CONFIG['bundleId']}{number}", appName=f"{CONFIG['appName']} {number}", signing=None)
    return stack
