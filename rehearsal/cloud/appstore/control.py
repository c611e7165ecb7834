"""Actions of people on Apple's website and on their phones, as routes of the control address.

GET    /                                          the "New App" form, which exists on Apple's website only
POST   /appstore/apps                             {"bundleId", "name", "primaryLocale", "sku"}, as JSON or from that form
POST   /appstore/users                            {"email", "firstName", "lastName", "roles", "allAppsVisible"}: adds a user, or accepts
                                                  the invitation of this email address
POST   /appstore/keys                             {"key_id", "issuer_id", "public_key_pem", "role"}; without issuer_id: an individual key
DELETE /appstore/keys/{key_id}                    revokes it
POST   /appstore/agreements                       {"in_effect": false}
POST   /appstore/settings                         {"part_bytes": 5242880, "certificate_limit": 3, "certificate_days": 365,
                                                  "invited_are_active": false, "users_need_admin": false}
POST   /appstore/strangers                        {"identifier"}: a bundle ID of another team
POST   /appstore/groups/{id}/testers              {"tester": id}: adds a tester on the website
POST   /appstore/zombies                          {"profile": id}: only its bundle ID lists that profile from now on
POST   /appstore/testers/{email}/accept           accepts the invitation of TestFlight, as does installing a build
POST   /appstore/testers/{email}/install          {"version": "1.0.0", "build": "0", "model"?, "osVersion"?}
POST   /appstore/testers/{email}/sessions         {"sessions": 3, "crashes": 0}: uses the build that was installed last
POST   /appstore/testers/{email}/feedback         {"kind": "crash" or "screenshot", "comment"?}: sends a report about it
POST   /appstore/builds/{id}/declare             gives the build a declaration of its encryption
POST   /appstore/reject                           {"codes": {"90683": "…"}}: the next upload fails with these
GET    /appstore/state                            every record, by type
"""

from html import escape
from typing import Any

from werkzeug.wrappers import Request, Response

from rehearsal.cloud.appstore import feedback
from rehearsal.cloud.appstore.account import KINDS
from rehearsal.cloud.appstore.apps import make_app
from rehearsal.cloud.appstore.beta_testers import accept, install, use
from rehearsal.cloud.appstore.kinds import Records
from rehearsal.cloud.appstore.people import make_user
from rehearsal.cloud.service import Refusal, Service, route
from rehearsal.cloud.store import Document

FORM = """<!doctype html><title>New App</title><h1>New App</h1><p>{message}</p>
<form method="post" action="/appstore/apps">
<p><label>Name <input name="name" required></label>
<p><label>Primary Language <input name="primaryLocale" value="en-US" required></label>
<p><label>Bundle ID <select name="bundleId">{options}</select></label>
<p><label>SKU <input name="sku" required></label>
<p><button>Create</button></form>"""


class AppStoreControl(Service):
    """The routes; `Control` inherits them and sets `records`."""

    records: Records

    @route("GET", "/")
    def show_form(self, request: Request, message: str = "Platform: iOS") -> Any:
        identifiers = [bundle_id["attributes"]["identifier"] for bundle_id in self.records.all("bundleIds")]
        options = "".join(f"<option>{escape(identifier)}</option>" for identifier in identifiers)
        return Response(FORM.format(message=escape(message), options=options), content_type="text/html; charset=utf-8")

    @route("POST", "/appstore/apps")
    def make_app_record(self, request: Request) -> Any:
        form = request.form.to_dict() if request.form else _body(request)
        try:
            with self.store.transaction():
                app = make_app(self.records, form)
        except Refusal as refusal:
            if request.form:
                return self.show_form(request, refusal.body["error"])
            raise
        if request.form:
            return self.show_form(request, f"{form['name']} was created with Apple ID {app['id']}")
        return {"id": app["id"], **app["attributes"]}, 201, {}

    @route("POST", "/appstore/users")
    def make_team_user(self, request: Request) -> Any:
        with self.store.transaction():
            user = make_user(self.records, _body(request, "email"))
        return {"id": user["id"], **user["attributes"]}, 201, {}

    @route("POST", "/appstore/keys")
    def register_key(self, request: Request) -> Any:
        key = _body(request, "key_id", "public_key_pem")
        key = {"issuer_id": None, "role": "ADMIN", **key}
        self.store.put("appstore.keys", key["key_id"], key)
        return key, 201, {}

    @route("DELETE", "/appstore/keys/<key_id>")
    def revoke_key(self, request: Request, key_id: str) -> Any:
        self.store.delete("appstore.keys", key_id)
        return None, 204, {}

    @route("POST", "/appstore/agreements")
    def change_agreements(self, request: Request) -> Any:
        return self.store.put("appstore.settings", "agreements", _body(request, "in_effect"))

    @route("POST", "/appstore/settings")
    def change_settings(self, request: Request) -> Any:
        with self.store.transaction():
            known = self.store.get("appstore.settings", "limits") or {}
            return self.store.put("appstore.settings", "limits", {**known, **_body(request)})

    @route("POST", "/appstore/strangers")
    def take_bundle_id(self, request: Request) -> Any:
        body = _body(request, "identifier")
        return self.store.put("appstore.strangers", body["identifier"], body)

    @route("POST", "/appstore/groups/<id>/testers")
    def add_to_group(self, request: Request, id: str) -> Any:
        body = _body(request, "tester")
        records = self.records
        with self.store.transaction():
            group, tester = records.get("betaGroups", id), records.get("betaTesters", body["tester"])
            if group is None or tester is None:
                raise Refusal({"error": "no such group or tester"}, 404)
            records.kinds["betaGroups"].link(group, "betaTesters", [tester])
        return None, 204, {}

    @route("POST", "/appstore/zombies")
    def hide_profile(self, request: Request) -> Any:
        with self.store.transaction():
            profile = self.store.get("appstore.profiles", _body(request, "profile")["profile"])
            if profile is None:
                raise Refusal({"error": "no such profile"}, 404)
            return self.store.put("appstore.profiles", profile["id"], {**profile, "zombie": True})

    @route("POST", "/appstore/testers/<email>/accept")
    def accept_invitation(self, request: Request, email: str) -> Any:
        with self.store.transaction():
            tester = accept(self.records, email)
        return {"state": self.records.shown(tester)["state"]}

    @route("POST", "/appstore/testers/<email>/install")
    def install_build(self, request: Request, email: str) -> Any:
        body = _body(request, "version", "build")
        device: Document = {name: body[name] for name in ("model", "osVersion") if name in body}
        with self.store.transaction():
            tester = install(self.records, email, body["version"], body["build"], device)
        return {"devices": tester["devices"]}

    @route("POST", "/appstore/testers/<email>/sessions")
    def use_build(self, request: Request, email: str) -> Any:
        body = _body(request, "sessions")
        with self.store.transaction():
            tester = use(self.records, email, body["sessions"], body.get("crashes", 0))
        return {"installs": tester["installs"]}

    @route("POST", "/appstore/testers/<email>/feedback")
    def send_feedback(self, request: Request, email: str) -> Any:
        body = _body(request, "kind")
        with self.store.transaction():
            sent = feedback.send(self.records, email, body["kind"], body.get("comment", ""))
        return {"id": sent["id"]}, 201, {}

    @route("POST", "/appstore/builds/<id>/declare")
    def declare_encryption(self, request: Request, id: str) -> Any:
        with self.store.transaction():
            build = self.records.get("builds", id)
            if build is None:
                raise Refusal({"error": f"no build {id}"}, 404)
            self.records.save({**build, "declared": True})
        return None, 204, {}

    @route("POST", "/appstore/reject")
    def reject_next(self, request: Request) -> Any:
        return self.store.put("appstore.settings", "reject", _body(request, "codes"))

    @route("GET", "/appstore/state")
    def show_state(self, request: Request) -> Any:
        records = self.records
        return {
            kind.type: [
                {
                    "id": record["id"],
                    "visible": records.get(kind.type, record["id"]) is not None,
                    **(records.shown(record) if records.get(kind.type, record["id"]) else record["attributes"]),
                    "links": record["links"],
                }
                for record in self.store.all(f"appstore.{kind.type}")
            ]
            for kind in KINDS
        }


def _body(request: Request, *needed: str) -> Document:
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict) or any(name not in body for name in needed):
        raise Refusal({"error": f"the body must be a JSON object with {', '.join(needed) or 'the settings'}"}, 400)
    return body
