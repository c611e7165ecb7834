"""Calls the App Store Connect API directly, to test requests that our client does not send."""

from typing import Any

import httpx
import jwt

from harness.inprocess import ASC_ISSUER_ID, ASC_KEY_ID, Doubles, asc_key, control
from rehearsal.cloud.world import World

BUNDLE_ID = "com.sollabs.solmobile"


class Caller:
    """`caller("GET", "/v1/apps")` is an httpx.Response. Claims and headers of the token can be changed."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.client = httpx.Client(transport=Doubles(world), base_url="http://appstore.test")

    def __call__(
        self, method: str, path: str, body: Any = None, *, params: dict[str, Any] | None = None, **claims: Any
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token(**claims)}"}
        return self.client.request(method, path, json=body, params=params, headers=headers)

    def token(self, key_id: str = ASC_KEY_ID, algorithm: str = "ES256", **claims: Any) -> str:
        now = int(self.world.clock.now())
        complete = {"iss": ASC_ISSUER_ID, "iat": now, "exp": now + 600, "aud": "appstoreconnect-v1", **claims}
        return jwt.encode(
            complete,
            asc_key() if algorithm == "ES256" else "a shared secret of at least 32 bytes",
            algorithm=algorithm,
            headers={"kid": key_id, "typ": "JWT"},
        )

    def make(
        self, type: str, attributes: dict[str, Any] | None = None, /, status: int = 201, **links: Any
    ) -> dict[str, Any]:
        """POST a resource; the response's `data`, or its first error for another `status`."""
        data: dict[str, Any] = {"type": type, "attributes": attributes or {}}
        if links:
            data["relationships"] = {name: {"data": linkage} for name, linkage in links.items()}
        response = self("POST", f"/v1/{type}", {"data": data})
        assert response.status_code == status, response.text
        found: dict[str, Any] = response.json()["data"] if status == 201 else response.json()["errors"][0]
        return found

    def read(self, path: str, **params: Any) -> Any:
        """GET; the response's `data`."""
        response = self("GET", path, params=params)
        assert response.status_code == 200, response.text
        return response.json()["data"]

    def app(self, wait: float = 30) -> dict[str, Any]:
        """A bundle ID, and the app that a person has made with it."""
        self.make("bundleIds", {"identifier": BUNDLE_ID, "name": "Sol", "platform": "IOS"})
        form = {"bundleId": BUNDLE_ID, "name": "SolOS", "primaryLocale": "en-US", "sku": "solos"}
        app = control(self.world, "POST", "/appstore/apps", form)
        self.world.clock.sleep(wait)
        return {"type": "apps", "id": app["id"]}


def reference(resource: dict[str, Any]) -> dict[str, str]:
    """The resource identifier of a resource."""
    return {"type": resource["type"], "id": resource["id"]}
