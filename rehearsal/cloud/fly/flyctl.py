"""What flyctl asks of api.fly.io besides what the providers use: GraphQL, builds, and organisations with their Postgres clusters."""

import base64
import functools
import json
from typing import Any

import msgspec
from werkzeug.wrappers import Request

from rehearsal.cloud.fly import graph, graphql, ip_addresses
from rehearsal.cloud.fly.api import ORGANIZATIONS, FlyApi, fly_error, forbidden
from rehearsal.cloud.fly.formats import random_id, rfc3339
from rehearsal.cloud.service import Refusal, route
from rehearsal.cloud.store import Document

MACAROON_LOCATION = "https://api.fly.io/v1"
ORGANIZATION_CAVEAT, EVERYTHING = 0, 31
"""Type and mask of a caveat: every action on what the organisation has."""
YEARS_20 = 20 * 365 * 86400.0
ERROR_CODES = {401: "UNAUTHORIZED", 403: "UNAUTHORIZED", 404: "NOT_FOUND"}


class ForFlyctl(FlyApi):
    """`/graphql`, `/api/v1/builds` and `/api/v1/organizations`. The token's user is no member of another organisation."""

    @route("POST", "/graphql")
    def graphql(self, request: Request) -> Any:
        body = json.loads(request.get_data())
        try:
            with self.store.transaction():
                return graphql.execute(body["query"], body.get("variables") or {}, self._roots(request))
        except graphql.BadQuery as bad:
            return {"errors": [{"message": str(bad)}]}
        except Refusal as refused:
            return {"data": None, "errors": [_graphql_error(refused)]}

    @route("POST", "/api/v1/builds")
    @route("POST", "/api/v1/builds/finish")
    def record_build(self, request: Request) -> Any:
        """Flyctl records each deployment as a build, also one of an image that exists."""
        self.app(request, json.loads(request.get_data())["app_name"])
        return {"id": self.store.count("fly_build"), "status": "completed", "wallclock_time_ms": 1000}

    @route("GET", "/api/v1/organizations")
    def list_organizations(self, request: Request) -> Any:
        return {"organizations": [_organization(self.token(request)["org"])]}

    @route("GET", "/api/v1/organizations/<slug>")
    def show_organization(self, request: Request, slug: str) -> Any:
        return {"organization": _organization(self._own_org(request, slug))}

    @route("GET", "/api/v1/organizations/<slug>/postgres")
    def list_postgres(self, request: Request, slug: str) -> Any:
        found = self.store.all("fly_postgres", _org=self._own_org(request, slug), _gone_at=None)
        return {"data": [self._cluster(document) for document in found]}

    def _roots(self, request: Request) -> dict[str, Document]:
        """The root objects of queries and of mutations."""
        org = self.token(request)["org"]
        return {
            "query": {
                "__typename": "Query",
                "app": lambda name: self._app_node(self.app(request, name)),
                "apps": lambda **_: graph.nodes("App", self._app_nodes(org)),
                "organization": lambda slug: self._org_node(self._own_org(request, slug)),
                "organizations": lambda **_: graph.nodes("Organization", [self._org_node(org)]),
                "latestImageDetails": graph.latest_image,
                "platform": graph.platform,
                "viewer": graph.USER,
            },
            "mutation": {
                "__typename": "Mutation",
                "createLimitedAccessToken": functools.partial(self._create_token, org),
                "deleteLimitedAccessToken": functools.partial(self._revoke_token, org),
                "releaseIpAddress": functools.partial(self._release_address, request),
            },
        }

    def _app_node(self, app: Document) -> Document:
        name = app["name"]
        releases = sorted(self.store.all("fly_release", _app=name), key=lambda release: -release["version"])
        return graph.app(app, self.store.all("fly_ip", _app=name), releases, self.store.all("fly_image"))

    def _app_nodes(self, org: str) -> list[Document]:
        known = [self.living_app(app["name"]) for app in self.store.all("fly_app")]
        return [self._app_node(app) for app in known if app and app["organization"]["slug"] == org]

    def _org_node(self, slug: str) -> Document:
        tokens = [
            token for token in self.store.all("fly_token", org=slug) if "id" in token and not token.get("revoked")
        ]
        return graph.organization(slug, tokens)

    def _create_token(self, org: str, input: Document) -> Document:
        """A new macaroon. The double does not read the caveats that flyctl adds to it for a read-only token."""
        secret, expires_at = macaroon(org), rfc3339(self.context.clock.now() + YEARS_20)
        about = {"id": random_id(12), "name": input["name"], "org": org, "may": "all", "expires_at": expires_at}
        token = self.store.put("fly_token", secret, {"token": secret, **about})
        return {"__typename": "CreateLimitedAccessTokenPayload", "limitedAccessToken": graph.limited_token(token)}

    def _revoke_token(self, org: str, input: Document) -> Document:
        found = self.store.all("fly_token", org=org, id=input["id"])
        if not found:
            raise fly_error(404, "Could not find LimitedAccessToken")
        self.store.put("fly_token", found[0]["token"], {**found[0], "revoked": True})
        return {"__typename": "DeleteLimitedAccessTokenPayload", "token": None}

    def _release_address(self, request: Request, input: Document) -> Document:
        """By app and address, as flyctl does it; Fly's schema also takes the id of an address."""
        app = self.app(request, input["appId"], "release_ip")
        ip_addresses.release(self.store, app["name"], input["ip"])
        return {"__typename": "ReleaseIPAddressPayload", "clientMutationId": None, "app": self._app_node(app)}

    def _own_org(self, request: Request, slug: str) -> str:
        own: str = self.token(request)["org"]
        if slug not in (own, "personal"):
            raise forbidden() if slug in ORGANIZATIONS else fly_error(404, "Could not find Organization")
        return own

    def _cluster(self, cluster: Document) -> Document:
        org, attached = cluster["_org"], [self.living_app(name) for name in cluster["_attached"]]
        is_new = self.context.clock.now() < cluster["_created"] + self.context.delays.postgres_ready
        return {
            "id": cluster["id"],
            "mpgd_cluster_id": cluster["id"],
            "version": 1,
            "name": cluster["name"],
            "region": cluster["region"],
            "status": cluster["_failed"] or ("creating" if is_new else "ready"),
            "plan": cluster["plan"],
            "disk": cluster["disk_size_gb"],
            "replicas": 1,
            "organization": {"id": f"org_{org}", "name": ORGANIZATIONS[org][0], "slug": org},
            "ip_assignments": {"direct": ""},
            "attached_apps": [{"name": app["name"], "id": app["internal_numeric_id"]} for app in attached if app],
        }


def macaroon(org: str) -> str:
    """A token of the organisation in the form of Fly's: nonce, location, caveats and signature
    (https://github.com/superfly/macaroon). Nobody verifies the signature."""
    nonce = [random_id(16).encode(), random_id(16).encode(), False]
    caveats = [ORGANIZATION_CAVEAT, [ORGANIZATIONS[org][1], EVERYTHING]]
    parts = [nonce, MACAROON_LOCATION, caveats, bytes(32)]
    return f"fm2_{base64.b64encode(msgspec.msgpack.encode(parts)).decode()}"


def _graphql_error(refused: Refusal) -> Document:
    code = ERROR_CODES.get(refused.status, "UNPROCESSABLE")
    return {"message": refused.body["error"], "extensions": {"code": code}}


def _organization(slug: str) -> Document:
    """As the web API writes it."""
    title, number = ORGANIZATIONS[slug]
    return {
        "id": f"org_{slug}",
        "internal_numeric_id": number,
        "name": title,
        "slug": slug,
        "raw_slug": slug,
        "personal": False,
        "paid_plan": True,
        "billable": True,
        "billing_status": "CURRENT",
        "provisions_beta_extensions": False,
        "remote_builder_image": "",
    }
