"""The minimum of calls for each phase of a launch, and why each call is needed.

The minimum reaches the same result from any state: an object that may exist is looked up before it is created, and a vendor's
asynchronous work is polled once, when it is complete. It assumes one resource that does everything at once. Where the launch makes
more calls, the benchmark `calls` shows them, and infra-docs/BENCH.md explains them.

In a path, `*` stands for names, ids and tags.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Need:
    call: str
    """`service METHOD /path`."""
    times: int
    why: str
    waits: bool = False
    """Whether this call also polls the vendor: further calls are polls."""


IMAGE = (
    Need("registry GET /v2/solserver/manifests/*", 2, "the digest; the first response says how to authenticate"),
    Need("registry GET /v2/solserver/blobs/*", 1, "the platform that it was built for"),
)
HEALTHY = (
    Need("fly GET /v1/apps/*/machines/*", 1, "whether the new version has started and passes its checks", waits=True),
    Need("proxy GET /health", 3, "three successful responses in a row from the public address"),
    Need("fly_platform GET /api/v1/apps/*/logs", 1, "whether it has crashed"),
    Need("fly_platform GET /api/v1/apps/*/releases", 1, "records that a killed run has left unfinished"),
    Need("fly_platform POST /api/v1/releases", 1, "the record that `fly releases` shows"),
    Need("fly_platform PATCH /api/v1/releases/*", 1, "that it is complete"),
)
SNAPSHOT = (
    Need(
        "fly GET /v1/apps/*/volumes/*/snapshots",
        2,
        "the list before, and the new snapshot, whose id no response has",
        True,
    ),
    Need("fly POST /v1/apps/*/volumes/*/snapshots", 1, "the snapshot"),
)
DRILL = (
    *SNAPSHOT,
    Need("fly GET /v1/apps/*/machines", 1, "leftovers of an interrupted drill"),
    Need("fly GET /v1/apps/*/volumes", 1, "the same, and the size of the volume"),
    Need("fly POST /v1/apps/*/volumes", 1, "the restored volume"),
    Need("fly POST /v1/apps/*/machines", 1, "the machine that opens it"),
    Need("fly GET /v1/apps/*/machines/*", 2, "that it runs, and later that it is deleted", waits=True),
    Need("fly POST /v1/apps/*/machines/*/exec", 2, "starts the count of the rows; reads it", waits=True),
    Need("fly DELETE /v1/apps/*/machines/*", 1, "deletes the machine, running or not"),
    Need("fly DELETE /v1/apps/*/volumes/*", 1, "the restored volume", waits=True),
)
BACKEND_FIRST = (
    *IMAGE,
    Need(
        "fly GET /v1/apps/*",
        2,
        "whether the name is free; the created app, which no response contains",
    ),
    Need("fly POST /v1/apps", 1, "the app"),
    Need("fly GET /v1/apps/*/machines", 1, "its machines: an error while the app is too new", waits=True),
    Need("fly GET /v1/apps/*/ip_assignments", 1, "existing addresses"),
    Need("fly POST /v1/apps/*/ip_assignments", 2, "a shared IPv4 and an IPv6 address"),
    Need("fly GET /v1/apps/*/volumes", 1, "existing volumes"),
    Need("fly POST /v1/apps/*/volumes", 1, "the volume"),
    Need("fly POST /v1/apps/*/secrets", 1, "all secrets"),
    Need("fly POST /v1/apps/*/machines", 1, "the machine"),
    *HEALTHY,
    Need("registry GET /v2/library/python/manifests/*", 2, "the digest of the image that opens a restored database"),
    Need("registry GET /token", 1, "a token for that repository"),
    *DRILL,
)
BACKEND_UPDATE = (
    *IMAGE,
    *SNAPSHOT,
    Need("fly POST /v1/apps/*/machines/*/lease", 1, "locks out other deployments"),
    Need("fly GET /v1/apps/*/machines/*", 1, "the current version, under the lease"),
    Need("fly POST /v1/apps/*/machines/*", 1, "the new version"),
    *HEALTHY,
    Need("fly DELETE /v1/apps/*/machines/*/lease", 1, "unlocks deployments"),
    *DRILL,
)
BUILD = (
    Need("appstore GET /v1/apps/*/buildUploads", 1, "existing uploads of this version"),
    Need(
        "appstore GET /v1/builds", 1, "builds of this version whose upload is gone; that the build exists", waits=True
    ),
    Need("appstore POST /v1/buildUploads", 1, "the upload"),
    Need("appstore POST /v1/buildUploadFiles", 1, "its file; the response has the URLs of the parts"),
    Need("storage PUT /*", 1, "the one part of a small IPA"),
    Need("appstore PATCH /v1/buildUploadFiles/*", 1, "commits the upload"),
    Need("appstore GET /v1/buildUploads/*", 1, "that it is processed, and its build", waits=True),
    Need("appstore GET /v1/builds/*", 1, "that the build can be tested", waits=True),
    Need("appstore GET /v1/betaBuildLocalizations", 1, "Apple creates the entry of the primary locale"),
    Need("appstore PATCH /v1/betaBuildLocalizations/*", 1, "What to Test"),
    Need("appstore GET /v1/builds/*/buildBetaDetail", 1, "that it is in testing", waits=True),
    Need("appstore PATCH /v1/buildBetaDetails/*", 1, "notifies testers"),
    Need("appstore POST /v1/builds/*/relationships/betaGroups", 1, "adds the build to the group"),
    Need("appstore GET /v1/betaTesters", 1, "who has installed it"),
    Need("appstore GET /v1/builds/*/metrics/betaBuildUsages", 1, "sessions and crashes"),
    Need("appstore GET /v1/apps/*/betaFeedbackCrashSubmissions", 1, "crash feedback"),
    Need("appstore GET /v1/apps/*/betaFeedbackScreenshotSubmissions", 1, "screenshot feedback"),
)
APPLE_FIRST = (
    Need("appstore GET /v1/bundleIds", 1, "whether it is registered"),
    Need("appstore POST /v1/bundleIds", 1, "the bundle ID"),
    Need("appstore GET /v1/bundleIds/*", 1, "its capabilities, for the profile"),
    Need("appstore GET /v1/certificates", 1, "whether a certificate of our key exists"),
    Need("appstore POST /v1/certificates", 1, "the certificate"),
    Need("appstore GET /v1/profiles", 1, "whether a profile of this name exists"),
    Need("appstore POST /v1/profiles", 1, "the profile; refused while the bundle ID is too new", waits=True),
    Need("appstore GET /v1/apps", 1, "the app record, which a person creates", waits=True),
    Need("appstore GET /v1/betaGroups", 1, "whether a group of this name exists"),
    Need("appstore POST /v1/betaGroups", 1, "the group; refused while the app is too new", waits=True),
    Need("appstore GET /v1/users", 1, "whether the testers are users of the team"),
    Need("appstore GET /v1/betaTesters", 2, "existing testers; that the group has them", waits=True),
    Need("appstore POST /v1/betaTesters", 3, "each tester: one per call"),
    Need("appstore GET /v1/betaAppLocalizations", 1, "whether the feedback address is set"),
    Need("appstore POST /v1/betaAppLocalizations", 1, "the feedback address"),
    *BUILD,
)
APPLE_UPDATE = (
    *BUILD,
    Need("appstore DELETE /v1/builds/*/relationships/betaGroups", 1, "removes the previous build from the group"),
)
READING_TESTERS = (Need("appstore GET /v1/betaTesters", 1, "the members of the group; empty if the group is gone"),)


def testers(count: int) -> tuple[Need, ...]:
    """Adding `count` users of the team to an empty group."""
    return (
        Need("appstore GET /v1/users", -(-count // 200), "whether they are users of the team, 200 per page"),
        Need(
            "appstore GET /v1/betaTesters",
            2 * -(-count // 200),
            "existing testers; that the group has them",
            True,
        ),
        Need("appstore POST /v1/betaTesters", count, "each tester: one per call"),
    )
