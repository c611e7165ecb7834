"""What an app holds before the stack creates anything: what will be adopted, and whether that is safe.

A survey is taken once, when its stack is new or its state is lost. It says line by line what will be adopted, and refuses an app that
holds a machine or a volume which the stack would not adopt: `pulumi up` would create a second, empty one behind the same hostname.
What it has seen decides what `pulumi destroy` leaves (providers/adoption.py).

Everything else in the stack comes after it. So it also refuses, before anything is changed, what would leave the app or its data
behind: another app, and another database.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

from msgspec.structs import asdict, replace
from pulumi import Output

from providers.errors import ErrorText, Problem, ProblemText
from providers.fly.api import apps, certificates, client, ip_assignments, machines, postgres, secrets, volumes
from providers.fly.lost import is_lost
from providers.fly.provider import FlyGate
from providers.properties import REPLACES, is_known
from providers.record import Input, Record, field
from providers.resource import Resource
from providers.survey import SurveyGate

DATABASE_URL = "DATABASE_URL"

WAYS_OUT = (
    "set {setting} to adopt what is there, import it (`python -m adoption`, infra-docs/ADOPTION.md), or use another app"
)
OTHER_MACHINE = ErrorText(
    "app {app} holds machine {found}, and this stack would create {name} next to it", remedy=WAYS_OUT
)
OTHER_VOLUME = ErrorText(
    "app {app} holds volume {found}, and this stack would not use it but {wanted}, which is empty", remedy=WAYS_OUT
)
NO_VOLUME = ErrorText(
    "machine {found} of app {app} has no volume, and this stack would move it to a new, empty one", remedy=WAYS_OUT
)
OTHER_DATABASE = ErrorText(
    "app {app} has the secret DATABASE_URL, and this stack would replace its database by {wanted}, which is empty",
    remedy=WAYS_OUT,
)
MOVES = ProblemText(
    "app",
    "{field} of this stack cannot change from {before} to {after}: that would be another backend, and the one that is used would be "
    "deleted",
    remedy="set the config key {field} to {before} again; for another backend, use a stack of its own; to give this one up on "
    "purpose, first turn the protection off (config key protect)",
)
OTHER_DATABASE_FILE = ProblemText(
    "database",
    "the database cannot change from {before} to {after} on the volume: the rows would be missing, because that file is empty",
    remedy="set DATABASE_PATH of [env] in fly.toml to {before} again; to rename the file on purpose, copy it on the volume first, and "
    "turn the protection off for this one change (config key protect)",
)
LEAVES_VOLUME = ProblemText(
    "volume",
    "volume {before} cannot be left out: its rows would be missing",
    remedy="restore it; to move to another database on purpose (infra-docs/SCALING.md), set `replaceable` for this one change (config "
    "key replaceMachine)",
)
NO_CLUSTER = ErrorText(
    "the server cannot move to Postgres cluster {name}: there is none, and a new one is empty",
    remedy="set the config key database.name to {before} again, or restore a backup into a cluster of this name first "
    "(infra-docs/BACKUPS.md)",
)


class SurveyArgs(Record):
    app: Annotated[Input[str], REPLACES]
    """What follows is what the stack is going to have in it."""
    org: Input[str]
    machines: Input[list[str]]
    """Their names."""
    region: Input[str | None] = field(default=None)
    """Of the volume."""
    volume: Input[str | None] = field(default=None)
    """Its name."""
    cluster: Input[str | None] = field(default=None)
    """Name of the Managed Postgres cluster."""
    addresses: Input[list[str]] = field(default_factory=list)
    """Their types."""
    hostname: Input[str] = field(default="")
    """Of the certificate."""
    secrets: Input[list[str]] = field(default_factory=list)
    """Names of the secrets that the stack sets."""
    kept_secrets: Input[list[str]] = field(default_factory=list)
    """Names of those that the stack generates, unless the app has them already."""
    database: Input[str | None] = field(default=None)
    """Path of the database's file on the volume."""
    protected: Input[bool] = field(default=False)
    """Whether a change of app, organisation or database is refused."""
    replaceable: Input[bool] = field(default=False)
    """Whether the volume may be left out all the same."""


class SurveyState(SurveyArgs):
    """Ids of what existed, by kind; of secrets, the names."""

    found_apps: list[str] = field(default_factory=list)
    found_machines: list[str] = field(default_factory=list)
    found_volumes: list[str] = field(default_factory=list)
    found_addresses: list[str] = field(default_factory=list)
    found_certificates: list[str] = field(default_factory=list)
    found_clusters: list[str] = field(default_factory=list)
    found_secrets: list[str] = field(default_factory=list)
    adopted: list[str] = field(default_factory=list)
    """A phrase for each object that the stack adopts."""


class SurveyProvider(SurveyGate[SurveyArgs, SurveyState], FlyGate[SurveyArgs, SurveyState]):
    Args = SurveyArgs
    State = SurveyState

    validates_unknown = True

    def look(self, args: SurveyArgs) -> SurveyState:
        return look(self.fly, args)

    def validate(self, args: SurveyArgs, old: SurveyArgs | None) -> Iterable[Problem]:
        if not old or not args.protected:
            return
        for name in ("app", "org"):
            before, after = getattr(old, name), getattr(args, name)
            if before and before != after:
                shown = after if is_known(after) else "a generated name"
                yield replace(MOVES(field=name, before=before, after=shown), key=name)
        if old.volume and not args.volume:
            if not args.replaceable:
                yield LEAVES_VOLUME(before=old.volume)
        elif old.database and old.database != args.database:
            yield OTHER_DATABASE_FILE(before=old.database, after=args.database or "none")

    def changed_fields(self, state: SurveyState, args: SurveyArgs) -> Iterable[str]:
        """Another app, or another cluster, for which `sync` does not take a second survey."""
        return [*super().changed_fields(state, args), *(["cluster"] if state.cluster != args.cluster else [])]

    def sync(self, id: str, state: SurveyState, args: SurveyArgs) -> SurveyState:
        if state.cluster and args.cluster and not postgres.living(self.fly, args.org, args.cluster):
            raise NO_CLUSTER(name=args.cluster, before=state.cluster)
        return replace(state, cluster=args.cluster)


def look(fly: "client.Fly", args: SurveyArgs) -> SurveyState:
    """Look at the app. Raises when it holds what the stack would not adopt. Reads only."""
    clusters = postgres.living(fly, args.org, args.cluster) if args.cluster else []
    try:
        apps.look_up(fly, args.app)
    except (client.NotFound, client.Forbidden):
        # The app resource says what is wrong with a name that another organisation has.
        return SurveyState(
            **asdict(args), found_clusters=[cluster.id for cluster in clusters], adopted=[*_clusters(clusters)]
        )
    living = [machine for machine in machines.living(fly, args.app) if not is_lost(machine.id, machine.region)]
    disks = [
        volume
        for volume in volumes.list_all(fly, args.app)
        if not volume.is_gone and not is_lost(volume.id, volume.region)
    ]
    names = sorted(secrets.list_all(fly, args.app).digests)
    _check(args, living, disks, names, has_cluster=bool(clusters))
    addresses = ip_assignments.list_all(fly, args.app)
    issued = certificates.list_all(fly, args.app) if args.hostname else []
    return SurveyState(
        **asdict(args),
        found_apps=[args.app],
        found_machines=[machine.id for machine in living],
        found_volumes=[volume.id for volume in disks],
        found_addresses=[address.ip for address in addresses],
        found_certificates=[f"{args.app}/{certificate.hostname}" for certificate in issued],
        found_clusters=[cluster.id for cluster in clusters],
        found_secrets=names,
        adopted=[
            f"app {args.app}",
            *(f"machine {machine.id} ({machine.name}, {machine.region})" for machine in living),
            *(f"volume {volume.id} ({volume.name}, {volume.region}, {volume.size_gb} GB)" for volume in disks),
            *_clusters(clusters),
            *(f"address {address.ip}" for address in addresses if address.kind in args.addresses),
            *(
                f"certificate of {certificate.hostname}"
                for certificate in issued
                if certificate.hostname == args.hostname
            ),
            *(f"secret {name}, with the value that it has" for name in names if name in args.kept_secrets),
        ],
    )


def _clusters(clusters: "Iterable[postgres.Cluster]") -> Iterator[str]:
    return (f"Postgres cluster {cluster.id} ({cluster.name})" for cluster in clusters)


def _check(
    args: SurveyArgs,
    living: "Sequence[machines.Machine]",
    disks: "Sequence[volumes.Volume]",
    secret_names: Sequence[str],
    *,
    has_cluster: bool,
) -> None:
    """Raise when a part of the app would get a second one next to it."""
    wanted = f"cluster {args.cluster}" if args.cluster else f"volume {args.volume} in {args.region}"
    for disk in disks:
        if (disk.name, disk.region) != (args.volume, args.region):
            setting = f"`source` of [[mounts]] in fly.toml to {disk.name} and `primary_region` to {disk.region}"
            found = f"{disk.id} ({disk.name}, {disk.region}, {disk.size_gb} GB)"
            raise OTHER_VOLUME(app=args.app, found=found, wanted=wanted, setting=setting)
    for machine in living:
        found = f"{machine.id} ({machine.name}, {machine.region})"
        if machine.name not in args.machines:
            names = " and ".join(args.machines)
            raise OTHER_MACHINE(
                app=args.app,
                found=found,
                name=names,
                setting=f"the machine's name (config key machine) to {machine.name}",
            )
        if args.volume and not machine.view.volume_id:
            raise NO_VOLUME(
                app=args.app, found=found, setting="the database (config key database) to the one that it has"
            )
    is_new = not has_cluster and not disks
    if DATABASE_URL in secret_names and (args.volume or args.cluster) and is_new:
        raise OTHER_DATABASE(
            app=args.app, wanted=wanted, setting="the database (config key database) to the cluster that it has"
        )


class Survey(Resource[SurveyArgs], module="fly", name="Survey"):
    """What an app held before the stack created anything in it. `id` is the app's name. Taken once, and never again."""

    provider = SurveyProvider
    found_apps: Output[list[str]]
    found_machines: Output[list[str]]
    found_volumes: Output[list[str]]
    found_addresses: Output[list[str]]
    found_certificates: Output[list[str]]
    found_clusters: Output[list[str]]
    found_secrets: Output[list[str]]
