"""What flyctl reads of Fly's responses, written down from its source (internal/command, and fly-go, its client library).

The doubles must return all of it: `test_flyctl.py` holds them against this table, and runs the real program where it is installed.
"""

from collections.abc import Mapping
from typing import Any

LAST_RUN = "27 November 2026, flyctl at commit ad0172fac (v0.4.87 and 6 commits), fly-go v0.9.6"
"""When `test_flyctl.py` last ran with the real program here."""

APP = "solos-prod"
ORG = "sol-labs"
IMAGE = "registry.fly.io/solserver:1.0.0"

Kind = type | tuple[type, ...]
Reads = Mapping[str, Kind]
"""Dotted path to the type of the value; `nodes` and other lists are read item by item. NoneType for what may be absent."""
NONE = type(None)

_ORGANIZATION: Reads = {"id": str, "internalNumericId": str, "slug": str, "rawSlug": str, "name": str, "paidPlan": bool}
_RELEASE: Reads = {
    "id": str,
    "version": int,
    "description": str,
    "reason": str,
    "status": str,
    "imageRef": str,
    "stable": bool,
    "user.id": str,
    "user.email": str,
    "user.name": str,
    "createdAt": str,
}


def _below(path: str, reads: Reads) -> dict[str, Kind]:
    return {f"{path}.{key}": kind for key, kind in reads.items()}


QUERIES: dict[str, tuple[str, Mapping[str, Any], Reads]] = {
    "fly status": (
        "app",
        {"name": APP},
        {
            "id": str,
            "internalNumericId": int,
            "name": str,
            "hostname": str,
            "cnameTarget": str,
            "deployed": bool,
            "network": (str, NONE),
            "status": str,
            "appUrl": str,
            "platformVersion": str,
            "organization.id": str,
            "organization.internalNumericId": str,
            "organization.slug": str,
            "organization.paidPlan": bool,
            "role": NONE,
        },
    ),
    "fly volumes list": (
        "app",
        {"name": APP},
        {"id": str, "name": str, "platformVersion": str, **_below("organization", _ORGANIZATION)},
    ),
    "fly ips list": (
        "app",
        {"name": APP},
        {
            "ipAddresses.nodes.id": str,
            "ipAddresses.nodes.address": str,
            "ipAddresses.nodes.type": str,
            "ipAddresses.nodes.region": str,
            "ipAddresses.nodes.createdAt": str,
            "ipAddresses.nodes.network": NONE,
            "ipAddresses.nodes.serviceName": str,
            "sharedIpAddress": (str, NONE),
            "egressIpAddresses.nodes.id": str,
        },
    ),
    "fly releases": ("app", {"name": APP}, _below("releasesUnprocessed(first: 25).nodes", _RELEASE)),
    "fly secrets set": ("app", {"name": APP}, _below("currentReleaseUnprocessed", _RELEASE)),
    "fly config save": ("app", {"name": APP}, {"currentReleaseUnprocessed.configDefinition": dict}),
    "fly deploy --image": (
        "app",
        {"name": APP},
        {
            "id": str,
            f'image(ref: "{IMAGE}").id': str,
            f'image(ref: "{IMAGE}").digest': str,
            f'image(ref: "{IMAGE}").ref': str,
            f'image(ref: "{IMAGE}").compressedSizeFull': str,
            f'image(ref: "{IMAGE}").manifest': NONE,
        },
    ),
    "fly apps destroy": (
        "app",
        {"name": APP},
        {
            "version": int,
            "config.definition": dict,
            "currentRelease.evaluationId": str,
            "currentRelease.inProgress": bool,
            "services.protocol": str,
            "imageDetails.tag": (str, NONE),
            "machines.nodes.id": str,
        },
    ),
    "fly apps list": (
        "apps",
        {"type": "container", "first": 200},
        {
            "pageInfo.hasNextPage": bool,
            "pageInfo.endCursor": NONE,
            "nodes.id": str,
            "nodes.name": str,
            "nodes.deployed": bool,
            "nodes.hostname": str,
            "nodes.platformVersion": str,
            "nodes.network": (str, NONE),
            "nodes.status": str,
            "nodes.organization.slug": str,
            "nodes.organization.name": str,
            "nodes.currentRelease.createdAt": str,
            "nodes.currentRelease.status": str,
        },
    ),
    "fly orgs list": (
        "organizations",
        {"admin": False},
        {**_below("nodes", _ORGANIZATION), "nodes.type": str, "nodes.billable": bool, "nodes.viewerRole": str},
    ),
    "fly mpg list": (
        "organization",
        {"slug": ORG},
        {
            **_ORGANIZATION,
            "billable": bool,
            "billingStatus": str,
            "provisionsBetaExtensions": bool,
            "addOnSsoLink": NONE,
        },
    ),
    "fly tokens list": (
        "organization",
        {"slug": ORG},
        {
            "limitedAccessTokens.nodes.id": str,
            "limitedAccessTokens.nodes.name": str,
            "limitedAccessTokens.nodes.expiresAt": str,
            "limitedAccessTokens.nodes.revokedAt": NONE,
            "limitedAccessTokens.nodes.user.email": str,
        },
    ),
    "fly volumes create": (
        "platform",
        {},
        {
            "requestRegion": str,
            "regions.name": str,
            "regions.code": str,
            "regions.latitude": float,
            "regions.longitude": float,
            "regions.gatewayAvailable": bool,
            "regions.requiresPaidPlan": bool,
            "regions.deprecated": bool,
        },
    ),
}
"""The GraphQL queries of api.fly.io by the command that makes them: field, arguments, and what is read of it."""

CALLS: dict[str, tuple[str, str, str, Reads]] = {
    "fly status": (
        "fly",
        "GET",
        f"/v1/apps/{APP}/machines",
        {
            "id": str,
            "name": str,
            "state": str,
            "region": str,
            "image_ref.repository": str,
            "image_ref.tag": str,
            "image_ref.digest": str,
            "instance_id": str,
            "version": str,
            "private_ip": str,
            "created_at": str,
            "updated_at": str,
            "config.image": str,
            "config.metadata.fly_platform_version": str,
            "config.guest.cpu_kind": str,
            "config.guest.cpus": int,
            "config.guest.memory_mb": int,
            "events.type": str,
            "events.status": str,
            "events.source": str,
            "events.timestamp": int,
            "checks.name": str,
            "checks.status": str,
            "checks.output": str,
            "checks.updated_at": str,
            "host_status": str,
        },
    ),
    "fly volumes list": (
        "fly",
        "GET",
        f"/v1/apps/{APP}/volumes",
        {
            "id": str,
            "state": str,
            "name": str,
            "size_gb": int,
            "region": str,
            "zone": str,
            "encrypted": bool,
            "attached_machine_id": (str, NONE),
            "created_at": str,
            "host_status": str,
        },
    ),
    "fly secrets list": ("fly", "GET", f"/v1/apps/{APP}/secrets", {"secrets.name": str, "secrets.digest": str}),
    "fly deploy": (
        "fly",
        "GET",
        f"/v1/apps/{APP}",
        {
            "id": str,
            "name": str,
            "internal_numeric_id": int,
            "network": str,
            "status": str,
            "machine_count": int,
            "volume_count": int,
            "organization.name": str,
            "organization.slug": str,
            "organization.internal_numeric_id": int,
        },
    ),
    "fly deploy: addresses": (
        "fly",
        "GET",
        f"/v1/apps/{APP}/ip_assignments",
        {"ips.ip": str, "ips.region": str, "ips.service_name": str, "ips.shared": bool, "ips.created_at": str},
    ),
    "fly secrets list: releases": (
        "fly-platform",
        "GET",
        f"/api/v1/apps/{APP}/releases?limit=20",
        {
            "releases.id": str,
            "releases.version": int,
            "releases.stable": bool,
            "releases.in_progress": bool,
            "releases.status": str,
            "releases.strategy": str,
            "releases.user": str,
            "releases.created_at": str,
            "releases.image_ref": str,
        },
    ),
    "fly deploy: organisation": (
        "fly-platform",
        "GET",
        f"/api/v1/organizations/{ORG}",
        {
            "organization.id": str,
            "organization.internal_numeric_id": int,
            "organization.slug": str,
            "organization.raw_slug": str,
            "organization.name": str,
            "organization.paid_plan": bool,
            "organization.personal": bool,
            "organization.billable": bool,
            "organization.billing_status": str,
            "organization.provisions_beta_extensions": bool,
            "organization.remote_builder_image": str,
        },
    ),
    "fly mpg list": (
        "fly-platform",
        "GET",
        f"/api/v1/organizations/{ORG}/postgres",
        {
            "data.id": str,
            "data.name": str,
            "data.region": str,
            "data.status": str,
            "data.plan": str,
            "data.disk": int,
            "data.replicas": int,
            "data.organization.slug": str,
            "data.ip_assignments.direct": str,
            "data.attached_apps.name": str,
            "data.attached_apps.id": int,
        },
    ),
}
"""The other calls by the command that makes them: API, method, path, and what is read of the response."""
