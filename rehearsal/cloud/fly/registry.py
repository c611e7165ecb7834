"""A container registry: the manifest lookup of the OCI distribution protocol. An image that was pushed is for one platform.

It has the images that were pushed through the control address (`fly_image` documents). Those of `registry.fly.io` need a Fly token
as the password of Basic authentication, and belong to the app that their repository is named after. All others are public, with
the bearer token handshake of Docker Hub.
"""

import base64
import hashlib
import json
from typing import Any, ClassVar

from werkzeug.wrappers import Request, Response

from rehearsal.cloud.fly.api import DEFAULT_TOKENS, OUR_ORG, PREFIXES
from rehearsal.cloud.fly.programs import DOCKER_HUB, PUBLIC_TAGS
from rehearsal.cloud.service import Refusal, Service, route
from rehearsal.cloud.store import Document

PRIVATE = "registry.fly.io/"
FLY_REALM = 'Basic realm="flyio-registry.fly.dev"'
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Registry(Service):
    """`/v2/{repository}/manifests/{tag or digest}`, `/v2/{repository}/blobs/{digest}` and `/token`."""

    name: ClassVar[str] = "registry"

    @route("GET", "/token")
    def issue_token(self, request: Request) -> Any:
        return {"token": "anonymous"}

    @route("HEAD", "/v2/<path:repository>/manifests/<target>")
    @route("GET", "/v2/<path:repository>/manifests/<target>")
    def read_manifest(self, request: Request, repository: str, target: str) -> Any:
        image = self._find(repository, target)
        if image and not image["reference"].startswith(PRIVATE):
            self._admit_anonymous(request, repository)
        else:
            self._admit_owner(request, repository)
        if image is None:
            raise Refusal(registry_errors("MANIFEST_UNKNOWN", "manifest unknown"), 404)
        digest = {"Docker-Content-Digest": image["digest"]}
        if "platform" not in image:
            platforms = [{"os": "linux", "architecture": name} for name in ("amd64", "arm64")]
            index = {"schemaVersion": 2, "manifests": [{"platform": platform} for platform in platforms]}
            return Response(json.dumps(index), 200, digest, content_type=INDEX)
        config = {"mediaType": CONFIG, "digest": _config_digest(image)}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}
        return Response(json.dumps(manifest), 200, digest, content_type=MANIFEST)

    @route("GET", "/v2/<path:repository>/blobs/<digest>")
    def read_config(self, request: Request, repository: str, digest: str) -> Any:
        """The configuration of an image for one platform."""
        images = [image for image in self.store.all("fly_image") if digest == _config_digest(image)]
        if images and not images[0]["reference"].startswith(PRIVATE):
            self._admit_anonymous(request, repository)
        else:
            self._admit_owner(request, repository)
        if not images:
            raise Refusal(registry_errors("BLOB_UNKNOWN", "blob unknown to registry"), 404)
        system, _, architecture = images[0]["platform"].partition("/")
        return {"os": system, "architecture": architecture}

    def _admit_anonymous(self, request: Request, repository: str) -> None:
        if request.headers.get("Authorization") != "Bearer anonymous":
            scope = f"repository:{repository}:pull"
            realm = f"{self.context.addresses['registry']}/token"
            raise _unauthorized(f'Bearer realm="{realm}",service="{self.name}",scope="{scope}"')

    def _admit_owner(self, request: Request, repository: str) -> None:
        """Raise Refusal unless the token's organisation has the app that the repository belongs to."""
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        org = self._org_of(base64.b64decode(encoded).decode().partition(":")[2]) if scheme == "Basic" else None
        if org is None:
            raise _unauthorized(FLY_REALM)
        app = self.store.get("fly_app", repository)
        if app is None:
            raise Refusal(registry_errors("NAME_UNKNOWN", "app repository not found"), 404)
        if app["organization"]["slug"] != org:
            raise Refusal(registry_errors("DENIED", "requested access to the resource is denied"), 403)

    def _org_of(self, token: str) -> str | None:
        """The organisation of a Fly token; None if it is not one."""
        known = self.store.get("fly_token", token)
        if known:
            return str(known["org"])
        return DEFAULT_TOKENS.get(token) or (OUR_ORG if token.startswith(PREFIXES) else None)

    def _find(self, repository: str, target: str) -> Document | None:
        if f"{repository}:{target}" in PUBLIC_TAGS:
            reference = f"{DOCKER_HUB}/{repository}:{target}"
            return {"reference": reference, "digest": digest_of(reference)}
        for image in self.store.all("fly_image"):
            name, _, tag = image["reference"].rpartition(":")
            in_registry = name.partition("/")[2] if "." in name.partition("/")[0] else name
            if in_registry == repository and target in (tag, image["digest"]):
                return image
        return None


def digest_of(reference: str) -> str:
    """The digest of an image without content, from its name."""
    return f"sha256:{hashlib.sha256(reference.encode()).hexdigest()}"


def _config_digest(image: Document) -> str:
    return digest_of(f"configuration of {image['reference']} {image['digest']}")


def app_of(reference: str) -> str:
    """The app whose repository an image of registry.fly.io is in; empty for an image of another registry."""
    return reference.removeprefix(PRIVATE).partition(":")[0] if reference.startswith(PRIVATE) else ""


def registry_errors(code: str, message: str) -> dict[str, Any]:
    """The body of a refusal."""
    return {"errors": [{"code": code, "message": message}]}


def _unauthorized(challenge: str) -> Refusal:
    return Refusal(registry_errors("UNAUTHORIZED", "authentication required"), 401, {"WWW-Authenticate": challenge})
