"""Apps: names are global, each app has an organisation; new apps appear late and deletion takes time."""

import re
from typing import Any

from werkzeug.wrappers import Request

from rehearsal.cloud.fly import bodies
from rehearsal.cloud.fly.api import DELETE_APP_RATE, OF_APP, ORGANIZATIONS, FlyApi, fly_error, forbidden
from rehearsal.cloud.fly.formats import public, random_id
from rehearsal.cloud.service import route
from rehearsal.cloud.store import Document

CREATE = {
    "name": str,
    "app_name": str,
    "org_slug": str,
    "network": str,
    "enable_subdomains": bool,
    "idempotency_key": str,
    "app_role_id": str,
}
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class Apps(FlyApi):
    """`/v1/apps` and `/v1/apps/{name}`."""

    @route("POST", "/v1/apps")
    def create_app(self, request: Request) -> Any:
        body = bodies.read(request, CREATE, "CreateAppRequest")
        name, org, key = body.get("name") or body.get("app_name"), body.get("org_slug"), body.get("idempotency_key")
        mine = self.token(request)["org"]
        if not org:
            raise bodies.refused("org_slug is required")
        if org not in (mine, "personal"):
            raise forbidden()
        with self.store.transaction():
            first = self.store.get("fly_idempotency", key) if key else None
            if first:
                if name and name != first["name"]:
                    raise fly_error(422, "idempotency_key was already used for another app")
                app = self.living_app(first["name"])
                if app:
                    return self._created(request, app), 201, {}
            name = name or f"app-{random_id(6)}"
            if not NAME.fullmatch(name):
                raise fly_error(422, "Validation failed: Name may only contain numbers, lowercase letters and dashes")
            if self.living_app(name):
                raise fly_error(422, "Validation failed: Name has already been taken", "name_taken")
            app = self.make_app(name, mine, body.get("network"))
            if key:
                self.store.put("fly_idempotency", key, {"name": name})
        return self._created(request, app), 201, {}

    def _created(self, request: Request, app: Document) -> Document:
        """With `wait`, as flyctl sends it, the whole app."""
        about = {"id": app["id"], "created_at": app["_created_at"]}
        return {**self._shown(app), **about} if request.args.get("wait") == "true" else about

    def make_app(self, name: str, org: str, network: str | None = None, *, for_images: bool = False) -> Document:
        """Store a new app; `for_images` for one that was created long ago and only holds images."""
        now, title = self.context.clock.now(), ORGANIZATIONS.get(org, (org, 1999))
        return self.store.put(
            "fly_app",
            name,
            {
                "id": random_id(12),
                "internal_numeric_id": 5000 + self.store.count("fly_app"),
                "name": name,
                "organization": {"name": title[0], "slug": org, "internal_numeric_id": title[1]},
                "network": network or "default",
                "_created_at": int(now * 1000),
                "_visible_at": now + (0.0 if for_images else self.context.delays.app_visible),
                "_gone_at": None,
                "_released": False,
                "_for_images": for_images,
            },
        )

    @route("GET", "/v1/apps")
    def list_apps(self, request: Request) -> Any:
        org = request.args.get("org_slug")
        if not org:
            raise bodies.refused("org_slug is required")
        mine = self.token(request)["org"]
        if org not in (mine, "personal"):
            raise forbidden()
        names = [app["name"] for app in self.store.all("fly_app") if app["organization"]["slug"] == mine]
        apps = [self._shown(app) for app in map(self.living_app, names) if app]
        return {"total_apps": len(apps), "apps": apps}

    @route("GET", "/v1/apps/<name>")
    def get_app(self, request: Request, name: str) -> Any:
        app = self.living_app(name)
        if app is None:
            raise fly_error(404, "App not found")
        if app["organization"]["slug"] != self.token(request)["org"]:
            raise forbidden()
        self.limit("get_app", name)
        return self._shown(app)

    @route("DELETE", "/v1/apps/<name>")
    def delete_app(self, request: Request, name: str) -> Any:
        org = self.token(request)["org"]
        self.limit("delete_app", org, DELETE_APP_RATE)
        with self.store.transaction():
            app = self.living_app(name)
            if app is None or app["_gone_at"] is not None:
                raise fly_error(404, "App not found")
            if app["organization"]["slug"] != org:
                raise forbidden()
            self.machines.drop_app(name)
            for kind in OF_APP:
                for item in self.store.all(kind, _app=name):
                    self.store.delete(kind, item["_key"])
            self.store.put(
                "fly_app", name, {**app, "_gone_at": self.context.clock.now() + self.context.delays.app_gone}
            )
        return None, 202, {}

    def _shown(self, app: Document) -> Document:
        machines = [machine for machine in self.machines.of_app(app["name"]) if machine["state"] != "destroyed"]
        volumes = [volume for volume in self.store.all("fly_volume", _app=app["name"]) if volume["_deleted_at"] is None]
        status = "deployed" if machines or app["_released"] else "pending"
        return {
            **public(app),
            "status": status if app["_gone_at"] is None else "suspended",
            "machine_count": len(machines),
            "volume_count": len(volumes),
        }
