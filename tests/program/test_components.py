"""The components follow Pulumi's conventions: names, parents, and what they hand to their children."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import pytest
from msgspec.structs import replace
from pulumi.runtime.mocks import MockMonitor, MockResourceArgs, Mocks, set_mocks
from pulumi.runtime.settings import reset_options

from components.backend.component import Backend
from components.deployment import Deployment
from components.launch.component import Launch
from components.monitoring.component import Monitoring
from components.settings import Settings, read
from harness.program import CONFIG, create_project, engine_config
from providers.betterstack.first_check import FirstCheck, FirstCheckArgs
from providers.fly.appconfig import load
from tests.program.test_settings import MONITORING_SECRETS

EVIDENCE = {"ExpiredBuilds", "RestoreDrill", "Image", "Installations", "Watch", "AlertDrill", "FirstCheck"}
"""What has been seen, and can be looked at again: nobody misses it."""
RETAINED = {"BetaAppLocalization"}
"""What leaves the stack without being deleted."""


@dataclass(frozen=True)
class Declared:
    type: str
    name: str
    parent: str
    protect: bool
    dependencies: frozenset[str]
    """The names of the resources that it depends on."""


class Engine(MockMonitor, Mocks):
    """Answers every resource with its inputs, and records how it was declared."""

    def __init__(self) -> None:
        super().__init__(self)
        self.declared: list[Declared] = []

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        return args.name, args.inputs

    def call(self, args: Any) -> Any:
        return {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 (the protocol's name)
        parent = request.parent.rpartition("::")[2]
        needs = {
            *request.dependencies,
            *(urn for dependency in request.propertyDependencies.values() for urn in dependency.urns),
        }
        names = frozenset(urn.rpartition("::")[2] for urn in needs)
        self.declared.append(Declared(request.type.rpartition(":")[2], request.name, parent, request.protect, names))
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]  # Pulumi's


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The settings of a stack that can be launched."""
    create_project(tmp_path / "project")
    secrets = {name: value for name, value in MONITORING_SECRETS.items() if name != "sinkToken"}
    given = {
        **CONFIG,
        "extensions": {"Share": "APP_GROUPS"},
        "expireBuilds": "true",
        "monitoring": {"page": "webhook", "uptimeCheck": "betterstack"},
        "monitoringSecrets": secrets,
        "declaredBy": "Mara",
    }
    return read(engine_config(given), ["solos:monitoringSecrets"], tmp_path / "project", "solos")


@pytest.fixture
def declare() -> Iterator[Callable[[Callable[[], object]], list[Declared]]]:
    """Runs a program; what it declared, in order."""

    def run(program: Callable[[], object]) -> list[Declared]:
        engine = Engine()
        set_mocks(engine, project="solos", stack="test", preview=True, monitor=engine)
        pulumi.runtime.test(lambda: program() and None)()  # type: ignore[no-untyped-call]  # Pulumi's
        return engine.declared

    yield run
    reset_options()


def test_two_backends_share_no_name(declare: Callable[..., list[Declared]], settings: Settings) -> None:
    declared = declare(lambda: [Backend(name, settings.backend) for name in ("a", "b")])

    names = [resource.name for resource in declared]
    assert len(names) == len(set(names))
    assert {name.replace("a-", "b-", 1) for name in names if name.startswith("a-")} == {
        name for name in names if name.startswith("b-")
    }


def test_children_are_named_after_parents(declare: Callable[..., list[Declared]], settings: Settings) -> None:
    declared = declare(lambda: Deployment("one", settings.backend, settings.ios, settings.release))

    assert [resource for resource in declared[2:] if not resource.name.startswith(f"{resource.parent}-")] == []


def test_only_evidence_can_be_deleted(declare: Callable[..., list[Declared]], settings: Settings) -> None:
    """With `protect`, whatever is not protected is evidence, or a protected resource depends on it."""
    opts = pulumi.ResourceOptions(protect=True)

    declared = declare(lambda: program(settings, opts))

    kept = {resource.name for resource in declared if resource.protect}
    for resource in reversed(declared):  # Dependencies are declared first.
        kept |= resource.dependencies if resource.name in kept else set()
    assert {resource.type for resource in declared[1:] if resource.name not in kept} == EVIDENCE | RETAINED


def test_rehearsal_needs_no_confirmation(declare: Callable[..., list[Declared]], settings: Settings) -> None:
    declared = declare(lambda: program(settings, pulumi.ResourceOptions(protect=False)))

    assert [resource for resource in declared if resource.protect] == []


def test_whole_number_stays_whole(declare: Callable[..., list[Declared]]) -> None:
    """It arrives as a float, and the SDK converts it because of the annotation of the output."""
    seen: list[int] = []
    args = FirstCheckArgs(monitor_id="m", url="https://solos.example", seconds=60)

    declare(lambda: FirstCheck("check", args).seconds.apply(seen.append))

    assert [(type(value), value) for value in seen] == [(int, 60)]


def test_launch_record_has_no_dependencies(declare: Callable[..., list[Declared]], settings: Settings) -> None:
    """It outlives everything that it is about."""
    declared = declare(lambda: program(settings, pulumi.ResourceOptions(protect=True)))

    (record,) = (resource for resource in declared if resource.type == "LaunchRecord")
    assert (record.dependencies, record.parent) == (frozenset(), "launch")


def program(settings: Settings, opts: pulumi.ResourceOptions) -> None:
    deployment = Deployment("one", settings.backend, settings.ios, settings.release, opts)
    assert settings.monitoring
    monitoring = Monitoring("monitoring", settings.monitoring, deployment.backend, opts)
    Launch("launch", settings.launch, settings.release, deployment=deployment, monitoring=monitoring, opts=opts)


def test_release_command_precedes_machine(
    declare: Callable[..., list[Declared]], settings: Settings, tmp_path: Path
) -> None:
    """A release command that fails stops the update: the machine depends on it, and it has the new secrets."""
    file = tmp_path / "project/fly.toml"
    file.write_text(file.read_text().replace("[deploy]\n", '[deploy]\nrelease_command = "bin/migrate"\n'))
    backend = replace(settings.backend, fly_toml=load(file))

    declared = {resource.name: resource for resource in declare(lambda: Backend("one", backend))}

    assert "one-release-command" in declared["one-machine"].dependencies
    assert {"one-secrets", "one-image"} <= declared["one-release-command"].dependencies
