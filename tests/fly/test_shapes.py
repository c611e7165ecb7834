"""What Fly returns, as typed objects; and our arguments as the config that Fly gets."""

import json
from typing import Any

import pytest

from providers.decoding import Call, Unreadable, decode
from providers.fly.api import ip_assignments, logs, metrics, postgres, releases, secrets, volumes
from providers.fly.api.certificates import Certificate, dns_records, to_enter
from providers.fly.api.config_view import view
from providers.fly.api.machines import Machine
from providers.fly.safe_update import machine_config

CALL = Call(doing="look", source="Fly", request_id="01H")
MACHINE: dict[str, Any] = {
    "id": "148e",
    "name": "solos",
    "state": "started",
    "region": "sjc",
    "instance_id": "01H",
    "config": {},
}


def shape(kind: type[Any], response: object) -> Any:
    return decode(json.dumps(response).encode(), kind, CALL, null_is_empty=True)


def test_machine_has_its_config() -> None:
    config = {
        "image": "registry.fly.io/a@sha256:1",
        "mounts": [{"path": "/data", "volume": "vol_1"}],
        "odd": {"kept": 1},
    }
    machine = shape(Machine, {**MACHINE, "config": config})

    assert machine.known_config == config
    assert (machine.view.image, machine.view.volume_id) == ("registry.fly.io/a@sha256:1", "vol_1")


def test_machine_on_unreachable_host() -> None:
    """Such a machine has no `config`; Fly returns what it knows as `incomplete_config`."""
    unreachable = {"config": None, "host_status": "unreachable", "incomplete_config": {"image": "a"}}
    machine = shape(Machine, {**MACHINE, **unreachable})

    assert (machine.config, machine.view.image, machine.host_status) == (None, "a", "unreachable")


@pytest.mark.parametrize(
    ("request_", "exits"),
    [
        ({"exit_event": {"exit_code": 1}}, ["exit code 1"]),
        ({"exit_code": 1}, ["exit code 1"]),
        ({"exit_event": {"guest_exit_code": 3}}, ["exit code 3"]),
        ({"exit_event": {"exit_code": 137, "oom_killed": True}}, ["killed for using too much memory (exit code 137)"]),
        ({"exit_event": {"exit_code": 143, "requested_stop": True}}, []),
        ({"exit_event": {"exit_code": 0}}, []),
        ({"MonitorEvent": {"exit_event": {"exit_code": 1}}}, ["exit code 1"]),
        ({"MonitorEvent": {"exit_event": {"exit_code": 1, "requested_stop": True}}}, []),
        (None, []),
    ],
)
def test_exits_of_a_machine(request_: object, exits: list[str]) -> None:
    of_previous = {"type": "exit", "request": {"exit_event": {"exit_code": 9}}}
    events = [
        {"type": "exit", "request": request_},
        {"type": "start", "status": "started"},
        {"type": "start", "status": "starting"},
        of_previous,
        {"type": "launch", "status": "created"},
        of_previous,
    ]

    assert logs.crashes(shape(Machine, {**MACHINE, "events": events})) == exits


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        ({"ip": "1.2.3.4", "shared": True}, "shared_v4"),
        ({"ip": "1.2.3.4", "shared": False, "network": None}, "v4"),
        ({"ip": "2a09:8280:1::1:0"}, "v6"),
        ({"ip": "fdaa:0:1::3"}, "private_v6"),
        ({"ip": "2a09::1", "network": {"name": "apart", "org_slug": "sol-labs"}}, "private_v6"),
    ],
)
def test_kind_of_an_address(response: object, kind: str) -> None:
    assert shape(ip_assignments.IpAssignment, response).kind == kind


@pytest.mark.parametrize(("id", "version"), [(7, 3), ("7", "3")])
def test_release_in_its_envelope(id: object, version: object) -> None:
    record = shape(releases.Created, {"release": {"id": id, "version": version}}).release

    assert (str(record.id), str(record.version)) == ("7", "3")


def test_null_means_absent() -> None:
    """Go writes an absent list or object as null."""
    volume = {"id": "vol_1", "name": "data", "region": "sjc", "state": "created", "size_gb": 1}

    assert shape(list[volumes.Volume], None) == []
    assert shape(secrets.Secrets, {"secrets": None, "version": None}).digests == {}
    assert shape(volumes.Volume, {**volume, "attached_machine_id": None}).attached_machine_id is None


def test_cluster_without_endpoints() -> None:
    cluster = shape(
        postgres.Data[postgres.Cluster], {"data": {"id": "x", "name": "db", "status": "creating", "endpoints": None}}
    ).data

    assert (cluster.endpoints, cluster.attached_apps, cluster.is_gone) == (None, [], False)


def test_dns_records_of_a_certificate() -> None:
    needs = {
        "a": ["1.2.3.4"],
        "aaaa": ["2a09::1"],
        "cname": "x.fly.dev",
        "acme_challenge": {"name": "_acme.api.x", "target": "y"},
        "ownership": {"name": "_fly.api.x", "app_value": "app-1"},
    }
    response = {"hostname": "api.x", "status": "pending_ownership", "dns_requirements": needs}
    certificate = shape(Certificate, response)

    assert [record["type"] for record in dns_records(certificate)] == ["A", "AAAA", "CNAME", "CNAME", "TXT"]
    assert to_enter(certificate) == "A api.x 1.2.3.4, AAAA api.x 2a09::1, TXT _fly.api.x app-1"


@pytest.mark.parametrize(
    ("kind", "response", "fault"),
    [
        (Machine, {"name": "solos"}, "Object missing required field id"),
        (Machine, {**MACHINE, "state": 7}, "Expected str, got int - at $.state"),
        (Machine, {**MACHINE, "config": {"image": ["s3cret"]}}, "Expected str, got array - at $.image"),
        (Machine, {**MACHINE, "events": {"type": "s3cret"}}, "Expected array, got object - at $.events"),
        (
            list[volumes.Volume],
            [{"id": "v", "name": "n", "region": "r", "state": "x", "size_gb": "s3cret"}],
            "Expected int, got str - at $[0].size_gb",
        ),
        (ip_assignments.IpAssignment, {"ip": "1.2.3.4"}, "Object missing required field shared"),
        (ip_assignments.IpAssignment, {"shared": False}, "Object missing required field ip"),
        (metrics.Series, {"value": [1, "NaN"]}, "Expected a number - at $.value[1]"),
        (logs.Line, {"message": "m", "timestamp": "s3cret"}, "Expected a time - at $.timestamp"),
        (postgres.Credentials, {"username": "u", "password": ["s3cret"]}, "Expected str, got array - at $.password"),
    ],
)
def test_unexpected_form_is_one_line(kind: type[Any], response: object, fault: str) -> None:
    """The error names the call, the field and the type, never the value."""
    with pytest.raises(Unreadable) as refused:
        shape(kind, response)

    assert f"cannot look: the response of Fly (request id 01H) does not have the expected form: {fault}" in str(
        refused.value
    )
    assert "s3cret" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_config_that_is_sent() -> None:
    declared = {"env": {"A": "1"}, "mounts": [{"path": "/data", "name": "data"}], "metadata": {"own": "x"}}

    sent = machine_config.complete(
        declared,
        image="a@sha256:1",
        volume_id="vol_1",
        running={"guest": {"cpus": 2}},
        metadata={"fly_release_id": "y"},
    )

    assert sent == {
        "env": {"A": "1"},
        "image": "a@sha256:1",
        "guest": {"cpus": 2},
        "mounts": [{"path": "/data", "name": "data", "volume": "vol_1"}],
        "metadata": {"own": "x", "fly_release_id": "y"},
    }
    assert not machine_config.differences(declared, sent)


@pytest.mark.parametrize(
    ("autostop", "stops"), [("off", False), (False, False), ("stop", True), (True, True), ("suspend", True)]
)
def test_autostop_in_both_forms(autostop: object, stops: bool) -> None:
    assert machine_config.has_autostop(view({"services": [{"autostop": autostop}]})) is stops
