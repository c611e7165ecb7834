"""Regions and their capacity. A region with a `fly_full` document has none."""

from typing import Any

from werkzeug.wrappers import Request

from rehearsal.cloud.fly import bodies
from rehearsal.cloud.fly.api import REGIONS, FlyApi, forbidden
from rehearsal.cloud.service import route

PLACEMENTS = {
    "compute": bodies.GUEST,
    "count": int,
    "org_slug": str,
    "region": str,
    "volume_name": str,
    "volume_size_bytes": int,
    "weights": {"*": int},
}
MAX_MACHINES = 50
"""Maximum number of machines of one organisation in a region."""


class Regions(FlyApi):
    """`/v1/platform/regions`, and `/v1/platform/placements`, a POST that changes nothing."""

    @route("GET", "/v1/platform/regions")
    def list_regions(self, request: Request) -> Any:
        rows = [{"code": code, "name": name, "gateway_available": True} for code, name in REGIONS.items()]
        return {"regions": rows, "nearest": "sjc"}

    @route("POST", "/v1/platform/placements")
    def simulate_placement(self, request: Request) -> Any:
        body = bodies.read(request, PLACEMENTS, "getPlacementsRequest")
        if body.get("org_slug") != self.token(request)["org"]:
            raise forbidden()
        count = body.get("count") or MAX_MACHINES
        codes = [self.region(code) for code in (body.get("region") or "sjc").split(",")]
        capacities = [{"region": code, "count": count, "concurrency": 1} for code in codes if not self._is_full(code)]
        return {"regions": capacities}

    def _is_full(self, region: str) -> bool:
        return self.store.get("fly_full", region) is not None
