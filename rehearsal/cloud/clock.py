"""Time in the doubles, and the delays of the vendors.

No timer changes a state. A document stores when it entered its state, and every reader computes the current state from
`clock.now()`. So a restart loses no transition, and a test can advance the clock.
"""

import dataclasses
import time


class Clock:
    """Real time, in seconds since 1970."""

    def now(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class ManualClock(Clock):
    """A clock that advances only when it is set, or when a caller sleeps."""

    def __init__(self, start: float = 1_790_000_000.0) -> None:
        self.time = start

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@dataclasses.dataclass(frozen=True)
class Delays:
    """Delays of the vendors, in seconds. The defaults are short enough for a rehearsal; `POST {control}/delays` changes any of
    them by name."""

    app_visible: float = 0.2
    """Fly: until a new app's machine endpoints stop returning 404."""
    app_gone: float = 0.4
    """Fly: until a deleted app's name returns 404."""
    machine_visible: float = 0.1
    """Fly: until a new machine can be read."""
    machine_start: float = 0.3
    """Fly: from `created` or `starting` to the start of the process."""
    list_lag: float = 0.0
    """Fly: how long lists of machines, volumes, addresses, secrets and Postgres clusters do not show what was created or deleted."""
    routed_until_signalled: bool = True
    """Not a delay: whether Fly's proxy routes to the previous version until an update sends it its signal."""
    volume_detach: float = 0.3
    """Fly: until the volume of a destroyed machine is free."""
    snapshot: float = 0.3
    """Fly: from `waiting` to `created`."""
    certificate_issue: float = 0.3
    """Fly: from correct DNS records to an issued certificate."""
    postgres_ready: float = 0.5
    """Fly: until a Managed Postgres cluster is `ready`."""
    postgres_backup: float = 0.3
    """Fly: from `running` to `completed`."""
    postgres_gone: float = 0.3
    """Fly: until a deleted cluster returns 404."""
    exec_cut: float = 30.0
    """Fly: when a command that still runs gets a 408 response."""
    uptime_check: float = 0.2
    """Better Stack: until a new monitor, or one that is resumed, is `up`."""
    monitor_speed: float = 1.0
    """Not a delay: a divisor for the durations in the configuration of Prometheus and Alertmanager, from their next start."""
    check_seconds_cap: float = 0.5
    """Fly: upper limit for the interval of health checks."""
    app_record_visible: float = 0.3
    """App Store Connect: until an app created on the website appears in the API."""
    group_too_early: float = 0.4
    """App Store Connect: how long a new app refuses groups with RELATIONSHIP.INVALID."""
    membership_shown: float = 0.1
    """App Store Connect: until testers and builds appear in their group, which is read from a search index; up to a minute at Apple."""
    upload_processing: float = 0.4
    """App Store Connect: from the commit of an upload until it is COMPLETE."""
    upload_recorded: float = 0.0
    """App Store Connect: how long the record of a committed upload stays AWAITING_UPLOAD, whatever happens to the upload meanwhile;
    sometimes 20 minutes and more at Apple."""
    build_visible: float = 0.4
    """App Store Connect: from COMPLETE until the build record appears."""
    build_processing: float = 0.4
    """App Store Connect: from the build record until it is VALID."""
    beta_detail: float = 0.2
    """App Store Connect: from VALID until the internal build state leaves PROCESSING."""
    testing_shown: float = 0.3
    """App Store Connect: from the first active tester until a build is IN_BETA_TESTING; about two minutes at Apple."""
    profile_too_early: float = 0.2
    """App Store Connect: how long a new bundle ID refuses profiles with "There is no App ID"."""
    usage_counted: float = 0.1
    """App Store Connect: until sessions and crashes appear in the metrics; hours at Apple."""
    profile_invalid: float = 0.2
    """App Store Connect: from a capability change or revocation until profiles are INVALID."""
    url_lifetime: float = 600.0
    """App Store Connect: until a presigned upload URL expires."""
    response: float = 0.0
    """Both: network round trip, before each response."""
    rate_scale: float = 10.0
    """Both: factor for the documented rate limits (1.0 for the real ones)."""
