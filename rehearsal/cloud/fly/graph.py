"""The objects of Fly's GraphQL, with the fields that flyctl reads (`tests/fly/flyctl_reads.py` lists them). See `graphql`."""

from collections.abc import Sequence
from typing import Any

from rehearsal.cloud.fly.api import ORGANIZATIONS, REGIONS
from rehearsal.cloud.fly.graphql import BadQuery
from rehearsal.cloud.store import Document

DOMAIN = "fly.dev"
USER = {
    "__typename": "User",
    "id": "user-1",
    "email": "rehearsal@sollabs.example",
    "name": "Rehearsal",
    "enablePaidHobby": False,
}


def nodes(kind: str, found: Sequence[Document] = ()) -> Document:
    """A connection, whose only page has all nodes."""
    page = {"__typename": "PageInfo", "hasNextPage": False, "endCursor": None}
    return {"__typename": f"{kind}Connection", "pageInfo": page, "nodes": list(found)}


def app(
    found: Document, addresses: Sequence[Document], releases: Sequence[Document], images: Sequence[Document]
) -> Document:
    """An app with its addresses, its release records (newest first), and the images that it can use."""
    name = found["name"]
    shared = [address["ip"] for address in addresses if address["shared"]]
    records = [release(candidate) for candidate in releases]
    return {
        "__typename": "App",
        "id": name,
        "internalNumericId": found["internal_numeric_id"],
        "name": name,
        "hostname": f"{name}.{DOMAIN}",
        "cnameTarget": f"{found['id']}.{name}.{DOMAIN}",
        "appUrl": f"https://{name}.{DOMAIN}",
        "deployed": found["_released"],
        "status": "deployed" if found["_released"] else "pending",
        "version": records[0]["version"] if records else 0,
        "network": None if found["network"] == "default" else found["network"],
        "platformVersion": "machines",
        "role": None,
        "config": {"__typename": "AppConfig", "definition": releases[0]["definition"] if releases else {}},
        "organization": organization(found["organization"]["slug"]),
        "services": [],
        "ipAddresses": nodes("IPAddress", [_address(address) for address in addresses if not address["shared"]]),
        "sharedIpAddress": shared[0] if shared else None,
        "egressIpAddresses": nodes("EgressIPAddress"),
        "machines": nodes("Machine"),
        "releasesUnprocessed": lambda first: nodes("Release", records[:first]),
        "currentRelease": records[0] if records else None,
        "currentReleaseUnprocessed": records[0] if records else None,
        "image": lambda ref: _image(ref, images),
        "imageDetails": None,
        "secrets": [],
    }


def release(record: Document) -> Document:
    return {
        "__typename": "Release",
        "id": record["id"],
        "version": record["version"],
        "description": "Release",
        "reason": "",
        "status": record["status"],
        "inProgress": record["in_progress"],
        "imageRef": record["image_ref"],
        "stable": record["stable"],
        "user": USER,
        "evaluationId": "",
        "createdAt": record["created_at"],
        "configDefinition": record["definition"],
    }


def organization(slug: str, tokens: Sequence[Document] = ()) -> Document:
    title, number = ORGANIZATIONS[slug]
    return {
        "__typename": "Organization",
        "id": f"org_{slug}",
        "internalNumericId": str(number),
        "name": title,
        "slug": slug,
        "rawSlug": slug,
        "type": "SHARED",
        "paidPlan": True,
        "billable": True,
        "billingStatus": "CURRENT",
        "viewerRole": "admin",
        "provisionsBetaExtensions": False,
        "addOnSsoLink": None,
        "addOns": lambda **_: nodes("AddOn"),
        "limitedAccessTokens": nodes("LimitedAccessToken", [limited_token(token) for token in tokens]),
    }


def limited_token(token: Document) -> Document:
    return {
        "__typename": "LimitedAccessToken",
        "id": token["id"],
        "name": token["name"],
        "tokenHeader": f"FlyV1 {token['token']}",
        "expiresAt": token["expires_at"],
        "revokedAt": None,
        "user": USER,
    }


def platform() -> Document:
    """Fly's regions."""
    regions = [
        {
            "__typename": "Region",
            "code": code,
            "name": title,
            "latitude": 0.0,
            "longitude": 0.0,
            "gatewayAvailable": True,
            "requiresPaidPlan": False,
            "deprecated": False,
        }
        for code, title in REGIONS.items()
    ]
    return {"__typename": "PlatformContext", "requestRegion": "sjc", "regions": regions}


def latest_image(image: str, **_: Any) -> Document:
    """Fly knows newer versions of its own images only."""
    raise BadQuery(f"Unknown repository '{image.partition(':')[0]}'")


def _address(address: Document) -> Document:
    return {
        "__typename": "IPAddress",
        "id": f"ip_{address['ip']}",
        "address": address["ip"],
        "type": address["type"],
        "region": address["region"],
        "createdAt": address["created_at"],
        "network": None,
        "serviceName": address["service_name"],
    }


def _image(reference: str, images: Sequence[Document]) -> Document | None:
    for image in images:
        name = image["reference"].rpartition(":")[0]
        if reference in (image["reference"], f"{name}@{image['digest']}"):
            return {
                "__typename": "Image",
                "id": f"img_{image['digest'][-12:]}",
                "digest": image["digest"],
                "ref": reference,
                "compressedSizeFull": str(50 << 20),
                "manifest": None,
            }
    return None
