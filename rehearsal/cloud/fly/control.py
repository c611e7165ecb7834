"""Actions of people and hosts at Fly, as routes of the control address.

POST /fly/images      {"reference": "registry.fly.io/solserver:1.0.0", "digest"?, "runs"?: "solserver", "version"?,
                       "requires"?: ["SESSION_KEY"], "broken"?, "found_by_digest"?,
                       "handles_sigterm"?: true, "platform"?: "linux/amd64"}
                      pushes an image: adds it to the registry, and sets what machines run for it. registry.fly.io takes it only
                      for an existing app that is not a stranger's, else 404. With `found_by_digest` release
                      records find it by its digest too
POST /fly/apps        {"name", "org", "for_images"?}: creates an app by hand, in any organisation; with `for_images` one that only
                      holds images, unless it exists
POST /fly/dns         {"hostname", "points_to"?: app, "challenge_of"?: app, "owned_by"?: app, "limited_until"?: seconds since 1970}
                      sets DNS records: address records or CNAME, CNAME of the ACME challenge, TXT record of the ownership;
                      the name of an app stands for the values that Fly requires for it; `limited_until` is the end of a rate
                      limit of the certificate authority
POST /fly/tokens      {"token", "org", "may"?: "read"}: creates a token of an organisation
POST /fly/migrations  {"volume": "vol_…"}: Fly migrates a volume and its machine to another host
POST /fly/hosts       {"machine": id, "status": "unreachable" | "unknown" | "ok"}: what Fly knows of the host of a machine and its volume
GET  /fly/state       every document of Fly, by kind; without the app that only holds images
"""

from typing import Any

from werkzeug.wrappers import Request

from rehearsal.cloud.context import Context
from rehearsal.cloud.fly.api import OF_APP, STRANGERS
from rehearsal.cloud.fly.machines_api import MachinesApi
from rehearsal.cloud.fly.registry import app_of, digest_of, registry_errors
from rehearsal.cloud.service import Service, route

KINDS = ("fly_app", *OF_APP, "fly_postgres", "fly_volume", "fly_machine", "fly_image")


class FlyControl(Service):
    """The routes; `Control` inherits them."""

    def __init__(self, context: Context, machines_api: MachinesApi) -> None:
        super().__init__(context)
        self._machines_api = machines_api

    @route("POST", "/fly/images")
    def push_image(self, request: Request) -> Any:
        body = request.get_json(force=True)
        reference = body["reference"]
        repository = app_of(reference)
        owner = self._machines_api.living_app(repository) if repository else None
        if repository and (owner is None or owner["organization"]["slug"] == STRANGERS):
            return registry_errors("NAME_UNKNOWN", "app repository not found"), 404, {}
        image = {
            "reference": reference,
            "digest": body.get("digest") or digest_of(reference),
            "runs": body.get("runs", "solserver"),
            "version": body.get("version", reference.rpartition(":")[2]),
            "requires": body.get("requires", []),
            "broken": body.get("broken"),
            "found_by_digest": body.get("found_by_digest", False),
            "handles_sigterm": body.get("handles_sigterm", True),
            "health": body.get("health", []),
            "own_database": body.get("own_database", False),
            "platform": body.get("platform", "linux/amd64"),
        }
        return self.store.put("fly_image", reference, image), 201, {}

    @route("POST", "/fly/apps")
    def make_app(self, request: Request) -> Any:
        body = request.get_json(force=True)
        name, org, for_images = body["name"], body["org"], body.get("for_images", False)
        there = self._machines_api.living_app(name) if for_images else None
        if there and there["_for_images"] and there["organization"]["slug"] != org:
            there = None  # The rehearsed stack is another team's, and so are its images.
        return there or self._machines_api.make_app(name, org, for_images=for_images), 201, {}

    @route("POST", "/fly/tokens")
    def create_token(self, request: Request) -> Any:
        body = request.get_json(force=True)
        return self.store.put("fly_token", body["token"], {"may": "all", **body}), 201, {}

    @route("POST", "/fly/dns")
    def set_dns(self, request: Request) -> Any:
        body = request.get_json(force=True)
        return self.store.put("fly_dns", body["hostname"], {**body, "_at": self.context.clock.now()}), 201, {}

    @route("POST", "/fly/migrations")
    def migrate_volume(self, request: Request) -> Any:
        return self._machines_api.migrate(request.get_json(force=True)["volume"]), 201, {}

    @route("POST", "/fly/hosts")
    def set_host_status(self, request: Request) -> Any:
        body = request.get_json(force=True)
        id, known = body["machine"], {"host_status": body["status"]}
        with self.store.transaction():
            machine = self.store.get("fly_machine", id)
            assert machine
            for volume in self.store.all("fly_volume", attached_machine_id=id):
                self.store.put("fly_volume", volume["id"], {**volume, **known})
            return self.store.put("fly_machine", id, {**machine, **known}), 201, {}

    @route("GET", "/fly/state")
    def read_fly_state(self, request: Request) -> Any:
        documents = {kind: self.store.all(kind) for kind in KINDS}
        return {
            kind: [document for document in found if not document.get("_for_images")]
            for kind, found in documents.items()
        }
