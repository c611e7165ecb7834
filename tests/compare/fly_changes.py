"""Twenty changed doubles of Fly."""

from tests.compare.changes import Change, added, replaced, unwrapped, without, wrapped

APP = "/v1/apps/[^/]+"
MACHINE = f"{APP}/machines/[^/]+"
VOLUME = f"{APP}/volumes/[^/]+"

CHANGES = (
    Change(
        name="machine without private_ip",
        call=f"GET {MACHINE}",
        body=without("private_ip"),
        line=("GET /v1/apps/{id}/machines/{id}:", "only the double has the field private_ip"),
    ),
    Change(
        name="machine with an unknown field",
        call=f"POST {APP}/machines",
        of_status=200,
        body=added("rootfs", value={"persist": "never"}),
        line=("POST /v1/apps/{id}/machines:", "only Fly.io has the field rootfs"),
    ),
    Change(
        name="time of an event as text",
        call=f"GET {MACHINE}",
        of_status=200,
        body=replaced("events", "*", "timestamp", by="2026-11-27T10:00:00Z"),
        line=("GET /v1/apps/{id}/machines/{id}:", "events.each[].timestamp", "<time> from Fly.io"),
    ),
    Change(
        name="events oldest first",
        call=f"GET {MACHINE}",
        of_status=200,
        body=replaced("events", by=lambda events: events[::-1]),
        line=("GET /v1/apps/{id}/machines/{id}:", "events.order"),
    ),
    Change(
        name="exit event without requested_stop",
        call=f"GET {MACHINE}",
        of_status=200,
        body=replaced("events", by=lambda events: [_without_requested_stop(event) for event in events]),
        line=("GET /v1/apps/{id}/machines/{id}:", "exit_event.requested_stop"),
    ),
    Change(
        name="another status for a stale version",
        call=f"POST {MACHINE}",
        of_status=409,
        status=412,
        line=("POST /v1/apps/{id}/machines/{id}:", "HTTP 412 from Fly.io, HTTP 409 from the double"),
    ),
    Change(
        name="another status for a taken name",
        call="POST /v1/apps",
        of_status=422,
        status=409,
        line=("POST /v1/apps:", "HTTP 409"),
    ),
    Change(
        name="another word for a taken name",
        call="POST /v1/apps",
        of_status=422,
        body=replaced("status", by="already_exists"),
        line=("POST /v1/apps:", "status: already_exists from Fly.io, name_taken from the double"),
    ),
    Change(
        name="another sentence for a held lease",
        call=f"POST {MACHINE}/lease",
        of_status=409,
        body=replaced("error", by="machine is locked"),
        line=("POST /v1/apps/{id}/machines/{id}/lease:", "error: machine is locked from Fly.io"),
    ),
    Change(
        name="lease without envelope",
        alone=True,
        call=f"POST {MACHINE}/lease",
        of_status=201,
        body=unwrapped("data"),
        line=("POST /v1/apps/{id}/machines/{id}/lease:", "the double has an envelope data", "later steps"),
    ),
    Change(
        name="volumes in an envelope",
        call=f"GET {APP}/volumes",
        body=wrapped("volumes"),
        line=("GET /v1/apps/{id}/volumes:", "an object from Fly.io, a list from the double"),
    ),
    Change(
        name="volume created with 201",
        call=f"POST {APP}/volumes",
        of_status=200,
        status=201,
        line=("POST /v1/apps/{id}/volumes:", "HTTP 201 from Fly.io, HTTP 200 from the double"),
    ),
    Change(
        name="volume refused",
        alone=True,
        call=f"POST {APP}/volumes",
        of_status=200,
        status=422,
        line=("POST /v1/apps/{id}/volumes:", "HTTP 422 from Fly.io", "later steps could not be compared"),
    ),
    Change(
        name="size as text",
        call=f"PUT {VOLUME}/extend",
        of_status=200,
        body=replaced("volume", "size_gb", by="two"),
        line=("PUT /v1/apps/{id}/volumes/{id}/extend:", "volume.size_gb: <text> from Fly.io"),
    ),
    Change(
        name="secrets answered without version",
        call=f"POST {APP}/secrets",
        of_status=200,
        body=without("version"),
        line=("POST /v1/apps/{id}/secrets:", "only the double has the field version"),
    ),
    Change(
        name="null instead of no network",
        call=f"GET {APP}/ip_assignments",
        body=replaced("ips", "*", "network", by={"name": "x", "org_slug": "y"}),
        line=("GET /v1/apps/{id}/ip_assignments:", "ips[].network: an object from Fly.io"),
    ),
    Change(
        name="no request id",
        call="GET /v1/platform/regions",
        headers={"fly-request-id": None},
        line=("GET /v1/platform/regions:", "only the double has the header fly-request-id"),
    ),
    Change(
        name="another scheme of the registry",
        call="GET /v2/solos-.+",
        of_status=401,
        headers={"www-authenticate": 'Digest realm="flyio"'},
        line=("GET /v2/{id}/manifests/{id}:", "www-authenticate: Digest from Fly.io"),
    ),
    Change(
        name="snapshots take long",
        delays={"snapshot": 90.0},
        line=("GET /v1/apps/{id}/volumes/{id}/snapshots:", "after 9", "after 21 s from the double"),
    ),
    Change(
        name="no state between created and started",
        call=f"GET {MACHINE}",
        of_status=200,
        body=replaced("state", by=lambda state: "created" if state == "starting" else state),
        line=(
            "GET /v1/apps/{id}/machines/{id}:",
            "404, then 200 created, then 200 started; the double 404, then 200 created, then 200 starting",
        ),
    ),
)


def _without_requested_stop(event: dict) -> dict:  # type: ignore[type-arg]
    for about in event.get("request", {}).values():
        if isinstance(about, dict):
            about.pop("requested_stop", None)
    return event
