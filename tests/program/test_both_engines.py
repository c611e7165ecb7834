"""The same story on both engines: in each of its steps the same calls reach the vendors."""

import json
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from harness import program as programs
from harness.program import IMAGE, Stack, doubles
from tests.needs import needs

OF_THE_MOMENT = re.compile(
    r"solos-rehearsal-[a-z0-9]{6}|(vol|vs|rel)_[A-Za-z0-9]+|\b[0-9a-f]{64}\b|\b[0-9a-f]{14,16}\b|\b01[0-9A-Z]{24}\b"
    r"|\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[A-Z0-9]{10}\b|(?<=App Store )[0-9a-f]{8}\b|\d+ bytes|(?<=\"fileSize\": )\d+"
)
"""Names, ids and digests of which every run has others, and the size of the IPA, which holds some."""


def calls_through(engine: str, folder: Path) -> dict[str, Counter[str]]:
    """The calls of each step of the story."""
    folder.mkdir()
    steps = {}
    with doubles(folder) as addresses:
        httpx.post(f"{addresses['control']}/fly/images", json={"reference": IMAGE}).raise_for_status()
        stack = Stack(folder, addresses, engine)

        def step(name: str, *operation: str) -> None:
            before = len(journal(addresses))
            assert stack.run(*operation) == 0, f"{engine}, {name}:\n{stack.text}"
            steps[name] = essence(journal(addresses)[before:])

        with programs.people(stack, addresses) as people:
            step("a preview of an empty world", "preview")
            step("the first up", "up")
            people.install("1.0.0", "0")
        step("an up after the testers have installed, which asks only for a declaration", "up")
        step("an up that changes nothing", "up")
        step("a refresh", "refresh", "--skip-preview")
        stack.edit("fly.toml", 'LOG_LEVEL = "info"', 'LOG_LEVEL = "debug"')
        step("a preview of a change", "preview")
        step("an up with a change", "up")
        step("a destroy", "destroy", "--skip-preview")
    return steps


def journal(addresses: dict[str, str]) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = httpx.get(f"{addresses['control']}/journal").json()
    return calls


def essence(calls: list[dict[str, Any]]) -> Counter[str]:
    """How often each call was made: reads once, since how often something is polled depends on the hour; of writes those that
    were granted, with what they say."""
    essence = Counter[str]()
    for call in calls:
        words = f"{call['service']} {call['method']} {call['path']} {json.dumps(call['query'], sort_keys=True)}"
        if call["method"] in ("GET", "HEAD"):
            essence[OF_THE_MOMENT.sub("…", words)] = 1
        elif call["status"] < 400:
            essence[OF_THE_MOMENT.sub("…", f"{words} {json.dumps(call['request'], sort_keys=True)}")] += 1
    return essence


@needs("pulumi")
def test_engines_make_equal_calls(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as threads:
        embedded, real = threads.map(lambda engine: calls_through(engine, tmp_path / engine), ["embedded", "pulumi"])

    assert [len(calls) for calls in real.values()].count(0) == 4  # Both previews, and the two ups that change nothing.
    for step, calls in real.items():
        assert embedded[step] - calls == Counter(), f"only the embedded engine, in {step}"
        assert calls - embedded[step] == Counter(), f"only the real engine, in {step}"
