"""Secrets of an app: written in batches, shown as opaque digests, not deployed until a machine gets a new version."""

import hashlib
import re
from typing import Any

from werkzeug.wrappers import Request

from rehearsal.cloud.fly import bodies
from rehearsal.cloud.fly.api import FlyApi, fly_error
from rehearsal.cloud.fly.formats import rfc3339
from rehearsal.cloud.service import route
from rehearsal.cloud.store import Document

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Secrets(FlyApi):
    """`/v1/apps/{name}/secrets`."""

    @route("GET", "/v1/apps/<name>/secrets")
    def list_secrets(self, request: Request, name: str) -> Any:
        app = self.app(request, name, "list_secrets")
        held = self._held(name)
        min_version = request.args.get("min_version") or request.args.get("version")
        if min_version and not (min_version.isdigit() and int(min_version) <= held["version"]):
            raise bodies.refused(f"invalid_argument: secrets version {min_version} does not exist")
        return {"secrets": self._listed(app, self._lagging(held))}

    @route("POST", "/v1/apps/<name>/secrets")
    def update_secrets(self, request: Request, name: str) -> Any:
        values = bodies.read(request, {"values": {"*": str}}, "AppSecretsUpdateRequest").get("values")
        if not values:
            raise bodies.refused("invalid_argument: values are required")
        for key in values:
            if not NAME.fullmatch(key):
                raise bodies.refused(f"invalid_argument: {key!r} is not a valid secret name")
        with self.store.transaction():
            app = self.app(request, name, "update_secrets")
            held = self._write(name, values)
        return {"secrets": self._listed(app, held), "version": held["version"], "Version": held["version"]}

    @route("DELETE", "/v1/apps/<name>/secrets/<key>")
    def delete_secret(self, request: Request, name: str, key: str) -> Any:
        with self.store.transaction():
            self.app(request, name, "delete_secret")
            if key not in self._held(name)["now"]:
                raise fly_error(404, "secret not found")
            held = self._write(name, {key: None})
        return {"version": held["version"], "Version": held["version"]}

    def _held(self, name: str) -> Document:
        """`now` maps a name to its value and timestamps; `versions` keeps the values of each version for the machines."""
        nothing = {"_app": name, "_key": name, "version": 0, "now": {}, "versions": []}
        return self.store.get("fly_secrets", name) or nothing

    def _write(self, name: str, values: dict[str, str | None]) -> Document:
        held, at = self._held(name), self.context.clock.now()
        now: Document = dict(held["now"])
        for key, value in values.items():
            if value is None:
                now.pop(key, None)
            else:
                now[key] = {"value": value, "created": now.get(key, {}).get("created", at), "updated": at}
        version = held["version"] + 1
        written = {"version": version, "at": at, "values": {key: secret["value"] for key, secret in now.items()}}
        return self.store.put(
            "fly_secrets", name, {**held, "version": version, "now": now, "versions": [*held["versions"], written]}
        )

    def _lagging(self, held: Document) -> Document:
        """What a list shows of them: it lags behind a write."""
        shown = [version for version in held["versions"] if not self.is_lagging(version["at"])]
        if len(shown) == len(held["versions"]):
            return held
        times = {"created": 0.0, "updated": 0.0}
        values = shown[-1]["values"] if shown else {}
        return {**held, "now": {key: {**times, **held["now"].get(key, {}), "value": values[key]} for key in values}}

    def _listed(self, app: Document, held: Document) -> list[Document]:
        return [
            {
                "name": key,
                "digest": hashlib.blake2b(secret["value"].encode(), digest_size=16, key=app["id"].encode()).hexdigest(),
                "created_at": rfc3339(secret["created"]),
                "updated_at": rfc3339(secret["updated"]),
            }
            for key, secret in sorted(held["now"].items())
        ]
