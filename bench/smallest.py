"""The smallest set of calls that could do it, and why each of them is needed.

A set is the least that ends in the same place from any state of the world: an object that may be there already is looked for
before it is made, and what the vendor does in its own time is looked at once, when it is done. It assumes that everything can be
done at once and by one resource; where the launch makes more calls, `calls` shows which, and infra-docs/BENCH.md says what for.

In a call's path, `*` stands for whatever is no word of the API: names, ids, tags.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Need:
    call: str
    """`service METHOD /path`."""
    times: int
    why: str
    waits: bool = False
    """Whether this call is also how one waits for the vendor: further ones of it are looks while it works."""


IMAGE = (
    Need("registry HEAD /v2/solserver/manifests/*", 2, "the digest; the first answer says where tokens are to be had"),
    Need("registry GET /token", 1, "a token for that repository"),
)
HEALTHY = (
    Need("fly GET /v1/apps/*/machines/*", 1, "whether the new version has started and passes its checks", waits=True),
    Need("proxy GET /health", 3, "three good answers in a row from where users are"),
    Need("fly_platform GET /api/v1/apps/*/logs", 1, "whether it has crashed meanwhile"),
    Need("fly_platform POST /api/v1/releases", 1, "the record that `fly releases` shows"),
    Need("fly_platform PATCH /api/v1/releases/*", 1, "that it is complete"),
)
SNAPSHOT = (
    Need(
        "fly GET /v1/apps/*/volumes/*/snapshots", 2, "those of before, and the new one, whose id no answer names", True
    ),
    Need("fly POST /v1/apps/*/volumes/*/snapshots", 1, "the snapshot"),
)
DRILL = (
    *SNAPSHOT,
    Need("fly GET /v1/apps/*/machines", 1, "what a drill that died has left"),
    Need("fly GET /v1/apps/*/volumes", 1, "the same, and how large the volume is"),
    Need("fly POST /v1/apps/*/volumes", 1, "the restored volume"),
    Need("fly POST /v1/apps/*/machines", 1, "the machine that opens it"),
    Need("fly GET /v1/apps/*/machines/*", 2, "that it runs, and later that it is gone", waits=True),
    Need("fly POST /v1/apps/*/machines/*/exec", 1, "the rows"),
    Need("fly DELETE /v1/apps/*/machines/*", 1, "it takes the machine away, running or not"),
    Need("fly DELETE /v1/apps/*/volumes/*", 1, "the restored volume", waits=True),
)
BACKEND_FIRST = (
    *IMAGE,
    Need(
        "fly GET /v1/apps/*",
        2,
        "whether the name is free, ours or somebody else's; what was made, which no answer says",
    ),
    Need("fly POST /v1/apps", 1, "the app"),
    Need("fly GET /v1/apps/*/machines", 1, "its machines: not shown as long as the app is too new", waits=True),
    Need("fly GET /v1/apps/*/ip_assignments", 1, "the addresses it has"),
    Need("fly POST /v1/apps/*/ip_assignments", 2, "a shared IPv4 one, an IPv6 one"),
    Need("fly GET /v1/apps/*/volumes", 1, "the volumes it has"),
    Need("fly POST /v1/apps/*/volumes", 1, "the volume"),
    Need("fly POST /v1/apps/*/secrets", 1, "all secrets"),
    Need("fly POST /v1/apps/*/machines", 1, "the machine"),
    *HEALTHY,
    Need("registry HEAD /v2/library/python/manifests/*", 2, "the digest of what opens a restored database"),
    Need("registry GET /token", 1, "a token for that repository"),
    *DRILL,
)
BACKEND_UPDATE = (
    *IMAGE,
    *SNAPSHOT,
    Need("fly POST /v1/apps/*/machines/*/lease", 1, "nobody else deploys now"),
    Need("fly GET /v1/apps/*/machines/*", 1, "what runs, under the lease"),
    Need("fly POST /v1/apps/*/machines/*", 1, "the new version"),
    *HEALTHY,
    Need("fly DELETE /v1/apps/*/machines/*/lease", 1, "others may deploy again"),
    *DRILL,
)
BUILD = (
    Need("appstore GET /v1/apps/*/buildUploads", 1, "uploads of this version, ours or others'"),
    Need("appstore GET /v1/builds", 1, "builds of this version, of which Apple has forgotten the upload"),
    Need("appstore POST /v1/buildUploads", 1, "the upload"),
    Need("appstore POST /v1/buildUploadFiles", 1, "its file; the answer says where the parts go"),
    Need("storage PUT /*", 1, "the one part of a small IPA"),
    Need("appstore PATCH /v1/buildUploadFiles/*", 1, "that all parts are there"),
    Need("appstore GET /v1/buildUploads/*", 1, "that it is processed, and which build it became", waits=True),
    Need("appstore GET /v1/builds/*", 1, "that the build can be tested", waits=True),
    Need("appstore GET /v1/betaBuildLocalizations", 1, "which Apple makes for the app's first language"),
    Need("appstore PATCH /v1/betaBuildLocalizations/*", 1, "What to Test"),
    Need("appstore GET /v1/builds/*/buildBetaDetail", 1, "that it is in testing", waits=True),
    Need("appstore PATCH /v1/buildBetaDetails/*", 1, "that testers are told"),
    Need("appstore POST /v1/builds/*/relationships/betaGroups", 1, "the group gets the build"),
    Need("appstore GET /v1/betaTesters", 1, "who has installed it"),
    Need("appstore GET /v1/builds/*/metrics/betaBuildUsages", 1, "sessions and crashes"),
    Need("appstore GET /v1/apps/*/betaFeedbackCrashSubmissions", 1, "what testers say about crashes"),
    Need("appstore GET /v1/apps/*/betaFeedbackScreenshotSubmissions", 1, "what they say otherwise"),
)
APPLE_FIRST = (
    Need("appstore GET /v1/bundleIds", 1, "whether it is registered"),
    Need("appstore POST /v1/bundleIds", 1, "the bundle ID"),
    Need("appstore GET /v1/bundleIds/*", 1, "its capabilities, which a profile is made with"),
    Need("appstore GET /v1/certificates", 1, "whether there is a certificate of our key"),
    Need("appstore POST /v1/certificates", 1, "the certificate"),
    Need("appstore GET /v1/profiles", 1, "whether there is a profile of this name"),
    Need("appstore POST /v1/profiles", 1, "the profile; refused as long as what it is made of is too new", waits=True),
    Need("appstore GET /v1/apps", 1, "the entry, which a person makes meanwhile", waits=True),
    Need("appstore GET /v1/betaGroups", 1, "whether there is a group of this name"),
    Need("appstore POST /v1/betaGroups", 1, "the group; refused as long as the app is too new", waits=True),
    Need("appstore GET /v1/users", 1, "whether the testers belong to the team"),
    Need(
        "appstore GET /v1/betaTesters", 2, "whether the team knows them as testers; that the group has them", waits=True
    ),
    Need("appstore POST /v1/betaTesters", 3, "each tester: Apple makes one a call"),
    Need("appstore GET /v1/betaAppLocalizations", 1, "whether the address for feedback is there"),
    Need("appstore POST /v1/betaAppLocalizations", 1, "it"),
    *BUILD,
)
APPLE_UPDATE = (
    *BUILD,
    Need("appstore DELETE /v1/builds/*/relationships/betaGroups", 1, "the group gives up the build of before"),
)
READING_TESTERS = (Need("appstore GET /v1/betaTesters", 1, "the group's members; none, too, when the group is gone"),)


def testers(count: int) -> tuple[Need, ...]:
    """Bringing `count` people who are users of the team into a group that has nobody."""
    return (
        Need("appstore GET /v1/users", -(-count // 200), "whether they belong to the team, 200 a page"),
        Need(
            "appstore GET /v1/betaTesters",
            2 * -(-count // 200),
            "who are testers already; that the group has them",
            True,
        ),
        Need("appstore POST /v1/betaTesters", count, "each tester: Apple makes one a call"),
    )
