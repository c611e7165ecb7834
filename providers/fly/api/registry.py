"""A registry of images, as the OCI distribution specification describes it (https://github.com/opencontainers/distribution-spec), with
the token exchange of its `WWW-Authenticate: Bearer` challenge. Fly has one, registry.fly.io, and runs images of all others.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

import msgspec

from providers.decoding import require
from providers.errors import ApiError, ErrorText, ProviderError
from providers.http import Http

if TYPE_CHECKING:
    import httpx

MANIFESTS = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json"
)
CONFIGS = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")
REDIRECTS = (301, 302, 303, 307, 308)
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
PLATFORM = "linux/amd64"
"""What Fly's machines run."""
DIGEST = r"sha256:[0-9a-f]{64}"
PARAMETER = r'(\w+)="([^"]*)"'


BAD_CHALLENGE = ErrorText("registry {host} requires an authentication scheme that is not supported: '{scheme}'")
REFUSED = "cannot {doing}: HTTP {status}"
BAD_TOKEN = ErrorText(
    REFUSED,
    remedy="the registry did not accept the credentials: set FLY_API_TOKEN to a token of the right organisation",
    error=ApiError,
)
NO_ACCESS = ErrorText(
    REFUSED,
    remedy="the token has no access to this image: use a token of the organisation that owns it",
    error=ApiError,
)
MISSING = ErrorText(
    REFUSED,
    remedy="the image does not exist: push it first, or fix the reference (registry.fly.io takes a push only for the "
    "repository of an existing app: `fly apps create`)",
    error=ApiError,
)
OTHER_REFUSAL = ErrorText(REFUSED, remedy="run the same command again later", error=ApiError)
WRONG_PLATFORM = ErrorText(
    "image {name} is for {found}, and Fly runs {needed}",
    remedy="build it with `docker build --platform {needed}`, and push it again",
)
BAD_DIGEST = "has a Docker-Content-Digest that is not a digest"
CAUSES = {401: BAD_TOKEN, 403: NO_ACCESS, 404: MISSING}


class Reference(msgspec.Struct, frozen=True):
    """The parts of an image reference: `name` is what precedes tag and digest, `target` is the tag or digest to look up."""

    name: str
    host: str
    repository: str
    target: str


class _Token(msgspec.Struct):
    """A pull token; registries use either name."""

    token: str = ""
    access_token: str = ""

    def __post_init__(self) -> None:
        require(self.token or self.access_token, "Object missing required field token")


class _Descriptor(msgspec.Struct, rename="camel"):
    digest: str
    media_type: str = ""


class _Manifest(msgspec.Struct, rename="camel"):
    schema_version: int
    config: _Descriptor | None = None


class _Platform(msgspec.Struct):
    """Part of an index, and of the configuration of an image."""

    os: str = ""
    architecture: str = ""


class _Variant(msgspec.Struct):
    platform: _Platform | None = None


class _Index(msgspec.Struct):
    manifests: list[_Variant] = []


def digest_of(base: str, reference: Reference, *, basic: str) -> str:
    """The digest of the manifest, from the registry at `base`. Raises ApiError when there is none."""
    registry = Http(base, service=f"the registry {reference.host}", authorize=lambda _again: "", explain=_explain)
    path = f"/v2/{reference.repository}/manifests/{reference.target}"
    doing = f"look up image {reference.name}:{reference.target}".replace(":sha256:", "@sha256:")
    headers = {"Accept": MANIFESTS}
    response = registry.request("GET", path, doing=doing, headers=headers, accept=(401,))
    if response.status_code == 401:
        headers["Authorization"] = _answer_challenge(
            response.headers.get("WWW-Authenticate", ""), base, reference, basic
        )
        response = registry.request("GET", path, doing=doing, headers=headers)
    if response.headers.get("Content-Type", "").partition(";")[0] in INDEXES:
        index = registry.decode(response, _Index, doing)
        _check_platforms(reference, [entry.platform for entry in index.manifests if entry.platform])
    else:
        manifest = registry.decode(response, _Manifest, doing)
        if manifest.config and manifest.config.media_type in CONFIGS:
            platform = _configured_platform(registry, reference, manifest.config.digest, headers)
            _check_platforms(reference, [platform] if platform else [])
    digest = str(response.headers.get("Docker-Content-Digest", ""))
    if not digest:
        return f"sha256:{hashlib.sha256(response.content).hexdigest()}"
    if not re.fullmatch(DIGEST, digest):
        raise registry.call_of(response, doing).unreadable(BAD_DIGEST)
    return digest


def _configured_platform(
    registry: Http, reference: Reference, digest: str, headers: Mapping[str, str]
) -> _Platform | None:
    """The platform in the configuration of an image without an index. None if it cannot be read: that is no reason to stop, because
    the update is verified. Registries redirect to their storage, which gets no credentials."""
    doing = f"read the configuration of image {reference.name}:{reference.target}"
    path = f"/v2/{reference.repository}/blobs/{digest}"
    try:
        response = registry.request("GET", path, doing=doing, headers=headers, accept=REDIRECTS)
        if response.status_code in REDIRECTS:
            target = urlsplit(urljoin(registry.base_url + path, response.headers.get("Location", "")))
            origin = f"{target.scheme}://{target.netloc}"
            storage = Http(origin, service=str(target.hostname), authorize=lambda _again: "", explain=_explain)
            signed = target._replace(scheme="", netloc="", fragment="").geturl()  # as it is: the query has a signature
            response = storage.request("GET", signed, doing=doing)
        return registry.decode(response, _Platform, doing)
    except (ProviderError, ValueError):
        return None


def _check_platforms(reference: Reference, platforms: Iterable[_Platform]) -> None:
    """Raise when none is that of Fly's machines: a build on a Mac with Apple silicon is for linux/arm64."""
    named = {f"{platform.os}/{platform.architecture}" for platform in platforms if platform.os}
    found = sorted(name for name in named if "unknown" not in name)  # "unknown" are attestations.
    if found and PLATFORM not in found:
        name = f"{reference.name}:{reference.target}".replace(":sha256:", "@sha256:")
        raise WRONG_PLATFORM(name=name, found=", ".join(found), needed=PLATFORM)


def _answer_challenge(challenge: str, base: str, reference: Reference, basic: str) -> str:
    """The Authorization header that the registry asks for; credentials are sent to the registry's own domain only."""
    scheme, _, parameters = challenge.partition(" ")
    if scheme.lower() == "basic":
        return basic
    given = dict(re.findall(PARAMETER, parameters))
    if scheme.lower() != "bearer" or "realm" not in given:
        raise BAD_CHALLENGE(host=reference.host, scheme=scheme)
    try:
        realm = urlsplit(given["realm"])
    except ValueError:
        raise BAD_CHALLENGE(host=reference.host, scheme=scheme) from None
    own = _domain(realm.hostname) == _domain(urlsplit(base).hostname)
    issuer = Http(
        f"{realm.scheme}://{realm.netloc}",
        service=f"the token service of {reference.host}",
        authorize=lambda _again: basic if own else "",
        explain=_explain,
    )
    scope = given.get("scope") or f"repository:{reference.repository}:pull"
    response = issuer.request(
        "GET",
        realm.path,
        doing=f"get a pull token for {reference.name}",
        params={"service": given.get("service", reference.host), "scope": scope},
    )
    granted = issuer.decode(response, _Token, f"get a pull token for {reference.name}")
    return f"Bearer {granted.token or granted.access_token}"


def _domain(host: str | None) -> str:
    return ".".join((host or "").split(".")[-2:])


def _explain(response: "httpx.Response", doing: str) -> ProviderError:
    text = CAUSES.get(response.status_code, OTHER_REFUSAL)
    message, remedy = text.fill(doing=doing, status=response.status_code)
    return ApiError(message, remedy=remedy, status=response.status_code)
