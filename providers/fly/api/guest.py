"""The sizes of machine that Fly offers (https://fly.io/docs/machines/guides-examples/machine-sizing/)."""

from collections.abc import Iterator

import msgspec

from providers.errors import Problem, ProblemText

CPUS = {"shared": (1, 2, 4, 6, 8), "performance": (1, 2, 4, 6, 8, 10, 12, 14, 16)}
"""How many CPUs a machine can have: the sizes that flyctl knows."""
MEMORY_PER_CPU = {"shared": (256, 2048), "performance": (2048, 8192)}
"""Least and most MB."""

BAD_KIND = ProblemText("config.guest", "cpu_kind must be shared or performance, not '{kind}'")
BAD_CPUS = ProblemText("config.guest", "cpus of kind {kind} must be one of {allowed}, not {cpus}")
BAD_MEMORY = ProblemText(
    "config.guest", "memory of {cpus} {kind} CPUs must be a multiple of 256 MB from {least} to {most}, not {memory}"
)


class Guest(msgspec.Struct):
    """CPUs and memory of a machine; the defaults are Fly's."""

    cpu_kind: str = "shared"
    cpus: int = 1
    memory_mb: int = 256


def guest_problems(guest: Guest) -> Iterator[Problem]:
    """Why Fly would refuse this guest."""
    kind, cpus, memory = guest.cpu_kind, guest.cpus, guest.memory_mb
    if kind not in MEMORY_PER_CPU:
        yield BAD_KIND(kind=kind)
        return
    if cpus not in CPUS[kind]:
        yield BAD_CPUS(kind=kind, allowed=", ".join(map(str, CPUS[kind])), cpus=cpus)
        return
    least, most = (amount * cpus for amount in MEMORY_PER_CPU[kind])
    if memory % 256 or not least <= memory <= most:
        yield BAD_MEMORY(cpus=cpus, kind=kind, least=least, most=most, memory=memory)
