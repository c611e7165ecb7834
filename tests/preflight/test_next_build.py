"""`make next-build` asks Apple for a number that is free, and writes it to the stack's file."""

from pathlib import Path
from typing import Any

import pytest

from harness.inprocess import control
from harness.program import engine_config
from preflight import next_build
from preflight.finding import Subject, examine
from preflight.stack import StackView
from providers.errors import ProviderError
from rehearsal.cloud.world import World
from tests.cloud.appstore.caller import Caller
from tests.preflight.conftest import Preflight


def subject(preflight: Preflight, **changes: Any) -> Subject:
    values = engine_config({**preflight.values, **changes})
    secrets = frozenset(f"solos:{key}" for key in preflight.secrets)
    return examine(
        StackView(
            name="prod",
            project="solos",
            folder=preflight.folder,
            values=values,
            secret_keys=secrets,
            build=preflight.build,
        )
    )


def use_up(world: World, *numbers: str) -> None:
    """Uploads of others, which Apple has rejected."""
    (app,) = control(world, "GET", "/appstore/state")["apps"]
    caller = Caller(world)
    for number in numbers:
        attributes = {"cfBundleShortVersionString": "1.0.0", "cfBundleVersion": number, "platform": "IOS"}
        made = caller.make("buildUploads", attributes, app={"type": "apps", "id": app["id"]})
        record = world.store.get("appstore.buildUploads", made["id"]) or {}
        world.store.put(
            "appstore.buildUploads", made["id"], {**record, "committed_at": 0, "errors": [{"code": "90022"}]}
        )


@pytest.mark.parametrize(
    ("used", "before", "number"),
    [
        ((), "0", "0"),
        ((), "next", "1"),
        (("0",), "0", "0.1"),
        (("0",), "1", "1"),
        (("0", "0.7"), "0.3", "0.8"),
        (("24.1.0.0",), "24.1.0.0", "24.2"),
        (("3",), "next", "3.1"),
    ],
)
def test_next_number(preflight: Preflight, world: World, used: tuple[str, ...], before: str, number: str) -> None:
    """Rejected uploads count."""
    use_up(world, *used)

    assert next_build.find(subject(preflight, build=before)) == number
    assert next_build.find(subject(preflight, build=number)) == number


def test_number_to_choose(preflight: Preflight) -> None:
    """Preflight does not compare `next` with Apple's numbers."""
    preflight.values["build"] = "next"

    (finding,) = preflight.row("Build number")

    assert finding.remedy == "fix the row Settings first"


def test_after_own_build(preflight: Preflight) -> None:
    """The number that this stack has uploaded is used up, whether or not Apple shows it yet."""
    preflight.build = {"short_version": "1.0.0", "version": "0"}

    assert next_build.find(subject(preflight)) == "0.1"


def test_command(
    preflight: Preflight, world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second run changes nothing."""
    use_up(world, "0")
    file = preflight.folder / "Pulumi.prod.yaml"
    file.write_text('config:\n  solos:build: "0"\n')
    monkeypatch.chdir(preflight.folder)
    for number in ("0", "0.1"):
        stack = subject(preflight, build=number, archive=None).stack
        monkeypatch.setattr(next_build, "read_stack", lambda *_, stack=stack: stack)
        assert next_build.main(["--stack", "prod"]) == 0

    assert file.read_text() == 'config:\n  solos:build: "0.1"\n'
    assert capsys.readouterr().out.splitlines() == [
        "solos:build is 0.1 in Pulumi.prod.yaml; build the IPA with it",
        "build 0.1 of 1.0.0 is free",
    ]


def test_written_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text('config:\n  solos:version: 1.0.0  # as in Xcode\n  solos:build: "0"\n  solos:label: v0\n')

    next_build.write(file, "solos", "0.1")

    assert (
        file.read_text() == 'config:\n  solos:version: 1.0.0  # as in Xcode\n  solos:build: "0.1"\n  solos:label: v0\n'
    )


def test_no_line_to_write(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="has no line `solos:build`"):
        next_build.write(tmp_path / "Pulumi.prod.yaml", "solos", "0.1")
