"""A whole life of a backend, held against Fly's own description of its Machines API, on both sides of the wire."""

from typing import Any

from rehearsal.cloud.world import World
from tests import specification
from tests.fly.backend import RELEASES, Backend
from tests.fly.conftest import push
from tests.fly.journeys import roll_back

DEVIATIONS = {
    r"HTTP 404 is not described": "few refusals are described; of these calls none (3.1)",
    r"DELETE /v1/apps/\{app_name\}/volumes/\{volume_id\}: HTTP 412 is not described": "it is attached still (3.1)",
    r"DELETE /v1/apps/\{app_name\}: the parameter force": "documented elsewhere (3.3)",
    r"/lease: the answer: .*\('data', 'status' were unexpected\)": "leases come in an envelope (3.3)",
    r"/lease: the parameter ttl": "as flyctl sends it (3.3)",
    r"DELETE .*/lease: the answer 200 has a body": "the envelope again (3.3)",
    r"DELETE /v1/apps/\{app_name\}/machines/\{machine_id\}: the answer 200 has a body": '{"ok": true} (3.3)',
    r"/stop: the answer 200 has a body": '{"ok": true} as for a deleted machine (6.3)',
    r"/volumes.*: the answer.*\.attached_\w+_id: None": "null when it is free, on which flyctl relies (7)",
    r"/snapshots: the answer 200 has a body": "JSON without the id of the snapshot (7)",
    r"/ip_assignments: the answer.*\('type' was unexpected\)": "undocumented (3.3)",
    r"/ip_assignments: the answer.*network: None": "only addresses of a private network have one (9)",
    r"/secrets: the request\.values\.\w+: None": "null takes a secret away (8.1)",
}
"""What the wire does otherwise than its description, and the section of fly.md that says so."""


def test_what_we_send_and_what_the_double_answers_is_as_fly_describes_it(
    world: World, settings: dict[str, Any]
) -> None:
    described = specification.load("fly-machines.json")
    for tag, broken in RELEASES.items():
        push(world, tag, broken=broken)
    backend = Backend(settings)

    with specification.checking("fly.test", described) as found:
        backend.up()
        backend.up(tag="1.0.1", secrets={"SESSION_KEY": "two"})
        roll_back(backend)
        for resource in backend.resources.values():
            assert resource.refresh()
        backend.destroy()

    assert specification.unexplained(found, DEVIATIONS) == []
    assert specification.unmet(found, DEVIATIONS) == []
