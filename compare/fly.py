"""The script of Fly.io: an app with the smallest machine, a volume of 1 GB, secrets, addresses and a certificate.

Everything is inside an app whose name carries our mark, so deleting that app deletes everything. Managed Postgres costs 38 $ a month and
takes minutes: its part runs only with the option `postgres`.
"""

import base64
import functools
import re
from collections.abc import Iterator, Sequence

from compare.mark import Mark
from compare.script import Leftover, Part, Script, Step, Until, listed
from compare.wire import Api, Call, Wire
from providers.fly.api.client import MACHINES_API, WEB_API, authorization
from providers.fly.api.registry import MANIFESTS
from providers.fly.image import DOCKER_HUB, FLY_REGISTRY

POSTGRES = "postgres"
IMAGE = "library/python", "3.13-alpine"
"""Public, small, and what the restore drill uses."""
REGION = "iad"
NONCE = "fly-machine-lease-nonce"
MONTH = 30 * 86_400
PRICES = {"": (202 + 2 * 15 + 10) / MONTH, POSTGRES: 2 * (3800 + 10 * 28) / MONTH}
"""In cents per second: a shared CPU with 256 MB, 2 GB of volume and a certificate; two clusters with the plan Basic and 10 GB
(https://fly.io/docs/about/pricing/, https://fly.io/docs/mpg/)."""

APP, MACHINE = "/v1/apps/{app}", "/v1/apps/{app}/machines/{machine}"
VOLUME, CLUSTER = "/v1/apps/{app}/volumes/{volume}", "/v1/postgres/{cluster}"
GUEST = {"cpu_kind": "shared", "cpus": 1, "memory_mb": 256}
CHECK = {"type": "tcp", "port": 8080, "interval": "15s", "timeout": "2s", "grace_period": "1s"}


def _config(version: str, **changes: object) -> dict[str, object]:
    """The config of the machine: it only sleeps, so its check never passes."""
    return {
        "image": "{image}",
        "guest": GUEST,
        "env": {"VERSION": version},
        "init": {"cmd": ["sleep", "3600"]},
        "mounts": [{"volume": "{volume}", "path": "/data"}],
        "checks": {"alive": CHECK},
        "restart": {"policy": "no"},
        "stop_config": {"signal": "SIGTERM", "timeout": "5s"},
        **changes,
    }


READS = Part(
    name="reads",
    steps=[
        Step(name="read the token", call="GET /v1/tokens/current", foreign=True),
        Step(name="use a wrong token", call="GET /v1/tokens/current", auth="wrong"),
        Step(name="list apps", call="GET /v1/apps?org_slug={org}", foreign=True),
        Step(name="list apps of an unknown organisation", call="GET /v1/apps?org_slug={unknown}"),
        Step(name="list apps without an organisation", call="GET /v1/apps"),
        Step(name="list regions", call="GET /v1/platform/regions", foreign=True),
        Step(
            name="ask for capacity",
            call="POST /v1/platform/placements",
            body={"org_slug": "{org}", "region": "{region}", "count": 1, "compute": GUEST},
        ),
        Step(name="read an unknown app", call="GET /v1/apps/{unknown}"),
        Step(name="list machines of an unknown app", call="GET /v1/apps/{unknown}/machines"),
        Step(name="list clusters", call="GET /v1/postgres?org_slug={org}", foreign=True),
        Step(name="read an unknown cluster", call="GET /v1/postgres/{unknown}"),
    ],
)
CREATE_APP = {"name": "{app}", "org_slug": "{org}", "idempotency_key": "{key}"}
APP_PART = Part(
    name="app",
    steps=[
        Step(name="create the app", call="POST /v1/apps", body=CREATE_APP, keep={"app_id": "id"}),
        Step(name="see the app", call=f"GET {APP}", until=Until(seconds=60)),
        Step(name="see its machines", call=f"GET {APP}/machines", until=Until(seconds=60)),
        Step(
            name="see it listed",
            call="GET /v1/apps?org_slug={org}",
            until=Until(seconds=60, shows="{app}"),
            foreign=True,
        ),
        Step(name="repeat the creation with its key", call="POST /v1/apps", body=CREATE_APP),
        Step(name="take the name again", call="POST /v1/apps", body={"name": "{app}", "org_slug": "{org}"}),
        Step(
            name="send an unknown field",
            needs=["app_id"],
            call="POST /v1/apps",
            body={"name": "{app}", "no_such_field": True},
        ),
    ],
)
SECRETS = Part(
    name="secrets",
    after=["app"],
    steps=[
        Step(name="list no secrets", call=f"GET {APP}/secrets"),
        Step(name="set secrets", call=f"POST {APP}/secrets", body={"values": {"ONE": "{random}", "TWO": "{random}"}}),
        Step(name="see the secrets", call=f"GET {APP}/secrets", until=Until(seconds=30, shows="TWO")),
        Step(name="unset a secret", call=f"POST {APP}/secrets", body={"values": {"TWO": None}}),
        Step(name="see it unset", call=f"GET {APP}/secrets", until=Until(seconds=30, hides="TWO")),
        Step(name="set a bad secret", call=f"POST {APP}/secrets", body={"values": {"not a name": "{random}"}}),
    ],
)
ADDRESSES = Part(
    name="addresses",
    after=["app"],
    steps=[
        Step(name="assign a shared address", call=f"POST {APP}/ip_assignments", body={"type": "shared_v4"}),
        Step(name="assign it again", call=f"POST {APP}/ip_assignments", body={"type": "shared_v4"}),
        Step(name="assign an IPv6 address", call=f"POST {APP}/ip_assignments", body={"type": "v6"}, keep={"ip": "ip"}),
        Step(name="assign a bad address", call=f"POST {APP}/ip_assignments", body={"type": "v5"}),
        Step(name="see the address", call=f"GET {APP}/ip_assignments", until=Until(seconds=30, shows="{ip}")),
        Step(name="release the address", call=f"DELETE {APP}/ip_assignments/{{ip}}"),
        Step(name="release it again", call=f"DELETE {APP}/ip_assignments/{{ip}}"),
        Step(name="see it released", call=f"GET {APP}/ip_assignments", until=Until(seconds=30, hides="{ip}")),
    ],
)
HOSTNAME = f"{APP}/certificates/{{hostname}}"
CERTIFICATES = Part(
    name="certificates",
    after=["app"],
    steps=[
        Step(name="request a certificate", call=f"POST {APP}/certificates/acme", body={"hostname": "{hostname}"}),
        Step(name="request it again", call=f"POST {APP}/certificates/acme", body={"hostname": "{hostname}"}),
        Step(name="request a bad certificate", call=f"POST {APP}/certificates/acme", body={"hostname": "not a name"}),
        Step(name="read the certificate", call=f"GET {HOSTNAME}"),
        Step(name="check its DNS", call=f"POST {HOSTNAME}/check"),
        Step(name="list certificates", call=f"GET {APP}/certificates"),
        Step(name="delete the certificate", call=f"DELETE {HOSTNAME}"),
        Step(name="delete it again", call=f"DELETE {HOSTNAME}"),
        Step(name="read a deleted certificate", call=f"GET {HOSTNAME}"),
    ],
)
VOLUMES = Part(
    name="volume",
    after=["app"],
    steps=[
        Step(
            name="create a volume",
            call=f"POST {APP}/volumes",
            body={"name": "data", "region": "{region}", "size_gb": 1, "snapshot_retention": 1, "compute": GUEST},
            keep={"volume": "id"},
        ),
        Step(name="create a volume nowhere", call=f"POST {APP}/volumes", body={"name": "data", "region": "xxx"}),
        Step(name="read the volume", call=f"GET {VOLUME}", until=Until(seconds=30, path="state", value="created")),
        Step(name="see the volume listed", call=f"GET {APP}/volumes", until=Until(seconds=30, shows="{volume}")),
        Step(name="change its retention", call=f"PUT {VOLUME}", body={"snapshot_retention": 2}),
        Step(name="extend the volume", call=f"PUT {VOLUME}/extend", body={"size_gb": 2}),
        Step(name="shrink the volume", call=f"PUT {VOLUME}/extend", body={"size_gb": 1}),
        Step(name="read an unknown volume", call=f"GET {APP}/volumes/{{no_volume}}"),
    ],
)
MACHINES = Part(
    name="machine",
    after=["app", "volume"],
    steps=[
        Step(
            name="create a bad machine",
            call=f"POST {APP}/machines",
            body={"region": "{region}", "config": _config("0", guest={**GUEST, "memory_mb": 100})},
        ),
        Step(
            name="create the machine",
            call=f"POST {APP}/machines",
            body={"name": "compare", "region": "{region}", "config": _config("1")},
            keep={"machine": "id", "first": "instance_id"},
        ),
        Step(name="see it start", call=f"GET {MACHINE}", until=Until(seconds=120, path="state", value="started")),
        Step(name="see it listed as a machine", call=f"GET {APP}/machines", until=Until(seconds=60, shows="{machine}")),
        Step(
            name="create a machine of the same name",
            needs=["machine"],
            call=f"POST {APP}/machines",
            body={"name": "compare", "region": "{region}", "config": _config("1", mounts=[])},
        ),
        Step(
            name="create a machine with the same volume",
            call=f"POST {APP}/machines",
            body={"name": "second", "region": "{region}", "config": _config("1")},
        ),
        Step(name="delete a volume in use", call=f"DELETE {VOLUME}"),
        Step(name="read an unknown machine", call=f"GET {APP}/machines/{{no_machine}}"),
    ],
)
WAITS = Part(
    name="wait",
    after=["machine"],
    steps=[
        Step(name="wait for what it is", call=f"GET {MACHINE}/wait?state=started&timeout=10"),
        Step(
            name="wait until the timeout",
            call=f"GET {MACHINE}/wait?state=stopped&timeout=5&version={{first}}&instance_id={{first}}",
        ),
        Step(name="wait for stopped without a version", call=f"GET {MACHINE}/wait?state=stopped&timeout=1"),
        Step(name="wait too long", call=f"GET {MACHINE}/wait?state=started&timeout=61"),
        Step(name="wait for an unknown state", call=f"GET {MACHINE}/wait?state=happy&timeout=1"),
    ],
)
EXEC = Part(
    name="exec",
    after=["machine"],
    steps=[
        Step(name="run a command", call=f"POST {MACHINE}/exec", body={"command": ["rm", "-f", "none"], "timeout": 10}),
        Step(name="run what is not there", call=f"POST {MACHINE}/exec", body={"command": ["no-such-program"]}),
        Step(name="run nothing", call=f"POST {MACHINE}/exec", body={"command": []}),
    ],
)
LEASES = Part(
    name="lease",
    after=["machine"],
    steps=[
        Step(
            name="take the lease",
            call=f"POST {MACHINE}/lease?ttl=20",
            body={"ttl": 20, "description": "compare"},
            keep={"nonce": "data.nonce"},
        ),
        Step(name="take a held lease", call=f"POST {MACHINE}/lease?ttl=20", body={"ttl": 20, "description": "other"}),
        Step(name="renew the lease", call=f"POST {MACHINE}/lease?ttl=20", body={"ttl": 20}, headers={NONCE: "{nonce}"}),
        Step(name="stop a leased machine", call=f"POST {MACHINE}/stop"),
        Step(name="release the lease", call=f"DELETE {MACHINE}/lease", headers={NONCE: "{nonce}"}),
        Step(name="release no lease", call=f"DELETE {MACHINE}/lease", headers={NONCE: "{nonce}"}),
        Step(
            name="let the lease expire",
            call=f"DELETE {MACHINE}/lease",
            until=Until(seconds=60, status=404),
            silent=True,
        ),
    ],
)
SNAPSHOTS = Part(
    name="snapshots",
    after=["volume"],
    steps=[
        Step(name="take a snapshot", call=f"POST {VOLUME}/snapshots"),
        Step(
            name="see the snapshot",
            call=f"GET {VOLUME}/snapshots",
            until=Until(seconds=180, path="0.status", value="created"),
        ),
    ],
)
UPDATES = Part(
    name="update",
    after=["machine", "wait", "exec", "lease"],
    steps=[
        Step(
            name="update the machine",
            call=f"POST {MACHINE}",
            body={"config": _config("2"), "current_version": "{first}"},
            keep={"second": "instance_id"},
        ),
        Step(
            name="wait for the update",
            call=f"GET {MACHINE}/wait?state=started&timeout=60&version={{second}}&instance_id={{second}}",
            until=Until(seconds=120),
        ),
        Step(
            name="read the updated machine",
            call=f"GET {MACHINE}",
            until=Until(seconds=60, path="state", value="started"),
        ),
        Step(
            name="update an outdated version",
            call=f"POST {MACHINE}",
            body={"config": _config("3"), "current_version": "{first}"},
        ),
        Step(name="update without its volume", call=f"POST {MACHINE}", body={"config": _config("3", mounts=[])}),
        Step(name="route no requests to it", call=f"POST {MACHINE}/cordon"),
        Step(name="route requests to it again", call=f"POST {MACHINE}/uncordon"),
        Step(name="restart the machine", call=f"POST {MACHINE}/restart"),
        Step(name="see it restarted", call=f"GET {MACHINE}", until=Until(seconds=120, path="state", value="started")),
        Step(name="delete a running machine", call=f"DELETE {MACHINE}"),
        Step(name="stop the machine", call=f"POST {MACHINE}/stop"),
        Step(name="see it stop", call=f"GET {MACHINE}", until=Until(seconds=60, path="state", value="stopped")),
        Step(name="run a command in a stopped machine", call=f"POST {MACHINE}/exec", body={"command": ["true"]}),
        Step(name="start the machine", call=f"POST {MACHINE}/start"),
        Step(
            name="see it started again", call=f"GET {MACHINE}", until=Until(seconds=120, path="state", value="started")
        ),
    ],
)
RELEASES = Part(
    name="releases",
    after=["app"],
    steps=[
        Step(name="list releases", call="GET /api/v1/apps/{app}/releases?limit=10", api="web"),
        Step(
            name="record a release of an unknown image",
            call="POST /api/v1/releases",
            api="web",
            body={"app_name": "{app}", "strategy": "ROLLING", "definition": {}, "image": "registry.fly.io/{app}:none"},
        ),
        Step(
            name="record a release",
            call="POST /api/v1/releases",
            api="web",
            body={"app_name": "{app}", "strategy": "ROLLING", "definition": {}, "image": "{image}"},
            keep={"release": "release.id"},
        ),
        Step(
            name="end the release",
            call="PATCH /api/v1/releases/{release}",
            api="web",
            body={"status": "complete"},
        ),
        Step(
            name="see the release",
            call="GET /api/v1/apps/{app}/releases?limit=10",
            api="web",
            until=Until(seconds=30, shows="{release}"),
        ),
    ],
)
TELEMETRY = Part(
    name="telemetry",
    after=["machine"],
    steps=[
        Step(
            name="read the log",
            call="GET /api/v1/apps/{app}/logs",
            api="telemetry",
            until=Until(seconds=60, shows="message"),
        ),
        Step(
            name="query the metrics",
            call="GET /prometheus/{org}/api/v1/query?query=sum(increase_pure(fly_edge_http_responses_count"
            "%7Bapp%3D%22{app}%22%2Cstatus%3D~%225..%22%7D%5B60s%5D))",
            api="telemetry",
        ),
        Step(
            name="query the metrics of an unknown organisation",
            call="GET /prometheus/{unknown}/api/v1/query?query=up",
            api="telemetry",
        ),
    ],
)
MANIFEST = {"Accept": MANIFESTS}
REGISTRY = Part(
    name="registry",
    after=["app"],
    steps=[
        Step(
            name="ask the registry without a token",
            call="GET /v2/{app}/manifests/{no_tag}",
            api="registry",
            headers=MANIFEST,
            auth="none",
        ),
        Step(name="read no image", call="GET /v2/{app}/manifests/{no_tag}", api="registry", headers=MANIFEST),
        Step(
            name="read an image of no app",
            call="GET /v2/{unknown}/manifests/{no_tag}",
            api="registry",
            headers=MANIFEST,
        ),
        Step(
            name="ask Docker Hub without a token",
            call="GET /v2/{repository}/manifests/{tag}",
            api="hub",
            headers=MANIFEST,
            auth="none",
        ),
        Step(
            name="get a token of Docker Hub",
            call="GET /token?service=registry.docker.io&scope=repository:{repository}:pull",
            api="hub tokens",
            keep={"pull": "token"},
            row="GET the token address of a registry",
        ),
        Step(
            name="look for a public image",
            call="GET /v2/{repository}/manifests/{tag}",
            api="hub",
            headers={**MANIFEST, "Authorization": "Bearer {pull}"},
            auth="none",
        ),
    ],
)
END = Part(
    name="end",
    after=[part.name for part in (SNAPSHOTS, UPDATES, TELEMETRY, RELEASES, REGISTRY, SECRETS, ADDRESSES, CERTIFICATES)],
    steps=[
        Step(name="delete the machine", call=f"DELETE {MACHINE}?force=true"),
        Step(name="see the machine go", call=f"GET {MACHINE}", until=Until(seconds=180, status=404)),
        Step(
            name="see the volume detached",
            call=f"DELETE {VOLUME}",
            until=Until(seconds=180),
        ),
        Step(name="read a deleted volume", call=f"GET {VOLUME}"),
        Step(name="read its snapshots", call=f"GET {VOLUME}/snapshots"),
        Step(name="delete the volume again", call=f"DELETE {VOLUME}"),
        Step(name="delete the app", call=f"DELETE {APP}?force=true"),
        Step(name="see the app go", call=f"GET {APP}", until=Until(seconds=120, status=404)),
        Step(name="delete the app again", call=f"DELETE {APP}?force=true"),
    ],
)
USER = f"{CLUSTER}/users/{{user}}"
READY = Until(seconds=900, path="data.status", value="ready")
POSTGRES_PART = Part(
    name="postgres",
    after=["app"],
    option=POSTGRES,
    steps=[
        Step(
            name="create a cluster",
            call="POST /v1/postgres",
            body={"org_slug": "{org}", "name": "{app}", "plan": "basic", "region": "{region}", "disk_size_gb": 10},
            keep={"cluster": "data.id"},
        ),
        Step(name="list databases too early", call=f"GET {CLUSTER}/databases"),
        Step(name="see the cluster ready", call=f"GET {CLUSTER}", until=READY),
        Step(name="list databases", call=f"GET {CLUSTER}/databases", until=Until(seconds=120)),
        Step(name="create a database", call=f"POST {CLUSTER}/databases", body={"name": "compare"}),
        Step(name="create it again", call=f"POST {CLUSTER}/databases", body={"name": "compare"}),
        Step(name="list users", call=f"GET {CLUSTER}/users"),
        Step(name="create a user", call=f"POST {CLUSTER}/users", body={"username": "{user}", "role": "writer"}),
        Step(name="create the user again", call=f"POST {CLUSTER}/users", body={"username": "{user}", "role": "writer"}),
        Step(name="change the role", call=f"PATCH {USER}", body={"role": "reader"}),
        Step(name="read the credentials", call=f"GET {USER}/credentials"),
        Step(name="attach the app", call=f"POST {CLUSTER}/attachments", body={"app_name": "{app}"}),
        Step(name="attach it again", call=f"POST {CLUSTER}/attachments", body={"app_name": "{app}"}),
        Step(name="detach the app", call=f"DELETE {CLUSTER}/attachments/{{app}}"),
        Step(name="detach it again", call=f"DELETE {CLUSTER}/attachments/{{app}}"),
        Step(name="delete the user", call=f"DELETE {USER}"),
        Step(name="delete the user again", call=f"DELETE {USER}"),
        Step(name="take a backup", call=f"POST {CLUSTER}/backups", body={"type": "full"}),
        Step(name="take another backup", call=f"POST {CLUSTER}/backups", body={"type": "full"}),
        Step(
            name="see the backup",
            call=f"GET {CLUSTER}/backups",
            until=Until(seconds=600, path="data.0.status", value="completed"),
            keep={"backup": "data.0.id"},
        ),
        Step(
            name="restore the backup",
            call=f"POST {CLUSTER}/restore",
            body={"backup_id": "{backup}", "name": "{app}-r"},
            keep={"restored": "data.id"},
        ),
        Step(name="delete the restored cluster", call="DELETE /v1/postgres/{restored}"),
        Step(name="delete the cluster", call=f"DELETE {CLUSTER}"),
        Step(name="delete the cluster again", call=f"DELETE {CLUSTER}"),
        Step(name="see the cluster go", call=f"GET {CLUSTER}", until=Until(seconds=600, status=404)),
    ],
)
PARTS: Sequence[Part] = (
    READS,
    APP_PART,
    SECRETS,
    ADDRESSES,
    CERTIFICATES,
    VOLUMES,
    MACHINES,
    WAITS,
    EXEC,
    LEASES,
    SNAPSHOTS,
    UPDATES,
    RELEASES,
    TELEMETRY,
    REGISTRY,
    POSTGRES_PART,
    END,
)


def script(org: str, token: str, addresses: dict[str, str] | None = None) -> Script:
    """The script for an organisation. `addresses` are those of a double; by default the vendor's."""
    mark = Mark(org)
    app, (repository, tag) = mark.new(), IMAGE
    header = authorization(token)
    bare = header.partition(" ")[2]
    basic = base64.b64encode(f"x:{bare}".encode()).decode()
    urls = {
        "main": MACHINES_API,
        "web": WEB_API,
        "telemetry": WEB_API,
        "registry": f"https://{FLY_REGISTRY}",
        "hub": f"https://{DOCKER_HUB}",
        "hub tokens": "https://auth.docker.io",
        **(addresses or {}),
    }
    schemes = {"main": header, "web": f"Bearer {bare}", "telemetry": header, "registry": f"Basic {basic}"}
    return Script(
        vendor="fly",
        title="Fly.io",
        account=org,
        creates="one app, in it a shared-cpu-1x machine, a volume of 1 GB (2 GB later), secrets, addresses, a certificate",
        parts=PARTS,
        apis={name: Api(url, functools.partial(str, schemes.get(name, ""))) for name, url in urls.items()},
        mark=mark,
        values={
            "org": org,
            "mark": app,
            "app": app,
            "unknown": mark.new(),
            "key": mark.new(),
            "random": mark.new(),
            "hostname": f"{app}.example.com",
            "region": REGION,
            "image": f"docker.io/{repository}:{tag}",
            "repository": repository,
            "tag": tag,
            "no_machine": "0123456789abcd",
            "user": "compare",
            "no_tag": "none",
            "no_volume": "vol_00000000000000",
        },
        may_write=lambda call, ours: _may_write(mark, call, ours),
        leftovers=[
            functools.partial(_leftover_apps, mark, org, app),
            functools.partial(_leftover_clusters, mark, org),
        ],
        prices=PRICES,
    )


def _may_write(mark: Mark, call: Call, ours: set[str]) -> bool:
    """In an app with our mark, of a cluster or a release of this run, or to create one of them; placements are only a question."""
    path, body = call.path.partition("?")[0], call.body or {}
    if call.api not in ("main", "web"):
        return False
    if path in ("/v1/apps", "/v1/postgres"):
        return call.method == "POST" and mark.is_in(body.get("name", ""))
    if path == "/api/v1/releases":
        return call.method == "POST" and mark.is_in(body.get("app_name", ""))
    app = re.match(r"/v1/apps/([^/]+)", path)
    if app:
        return mark.is_in(app[1])
    other = re.match(r"(?:/v1/postgres|/api/v1/releases)/([^/]+)", path)
    if other:
        return other[1] in ours
    return path == "/v1/platform/placements"


def _leftover_apps(mark: Mark, org: str, own: str, wire: Wire) -> Iterator[Leftover]:
    """`own` is the app of this run, which is looked for by its name too: lists lag."""
    found = listed(wire, Call(api="main", method="GET", path=f"/v1/apps?org_slug={org}"))
    names = {name for app in found if mark.is_in(name := str(app.get("name")))}
    if own not in names and wire.send(Call(api="main", method="GET", path=f"/v1/apps/{own}")).is_success:
        names.add(own)
    for name in sorted(names):
        delete = Call(api="main", method="DELETE", path=f"/v1/apps/{name}?force=true")
        yield Leftover(title=f"app {name}", delete=delete)


def _leftover_clusters(mark: Mark, org: str, wire: Wire) -> Iterator[Leftover]:
    for cluster in listed(wire, Call(api="main", method="GET", path=f"/v1/postgres?org_slug={org}")):
        name, id = str(cluster.get("name")), str(cluster.get("id"))
        if mark.is_in(name):
            wire.ours.add(id)
            delete = Call(api="main", method="DELETE", path=f"/v1/postgres/{id}")
            yield Leftover(title=f"Postgres cluster {name}", delete=delete, gone=(404, 410))
