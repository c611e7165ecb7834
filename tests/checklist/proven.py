"""A stack in which every row of the checklist is proven, and changes to it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from checklist.known import Known, Observed, SignOffs

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
ADA = "ada@sollabs.example"
AT = "2026-11-27T09:00:00+00:00"
DIGEST = "sha256:" + "5" * 64

BACKEND, MONITORING, TESTFLIGHT = ("Backend",), ("Monitoring",), ("TestFlight",)
SIGNING = ("TestFlight", "Signing")


def observed(kind: str, components: tuple[str, ...] = (), id: str = "id", **outputs: Any) -> Observed:
    """A resource of that type with these outputs."""
    return Observed(kind=kind, id=id, components=components, outputs=outputs)


PROVEN: Mapping[str, Observed] = {
    "app": observed("fly:App", BACKEND, name="solos", org="sol-labs", hostname="solos.fly.dev"),
    "machine": observed(
        "fly:Machine",
        BACKEND,
        id="148e",
        name="solserver",
        region="sjc",
        image=f"registry.fly.io/solserver@{DIGEST}",
        config={"guest": {"cpus": 1.0, "cpu_kind": "shared", "memory_mb": 512.0}},
        start_seconds=3.0,
        checks_seconds=2.0,
        downtime_seconds=0.4,
    ),
    "volume": observed("fly:Volume", BACKEND, id="vol_1", region="sjc", size_gb=10.0, encrypted=True),
    "secrets": observed("fly:Secrets", BACKEND, version=1.0, digests={"SESSION_SECRET": "d1"}),
    "drill-image": observed(
        "fly:Image", BACKEND, reference="python:3", digest="sha256:0", pinned="docker.io/library/python@sha256:0"
    ),
    "image": observed(
        "fly:Image",
        BACKEND,
        reference="registry.fly.io/solserver:1.0.0",
        digest=DIGEST,
        pinned=f"registry.fly.io/solserver@{DIGEST}",
    ),
    "address": observed("fly:IpAddress", BACKEND, type="v6", address="2a09::1"),
    "rollout": observed(
        "checks:Rollout",
        BACKEND,
        hostname="solos.fly.dev",
        path="/health",
        instance_id="01M8",
        image=f"registry.fly.io/solserver@{DIGEST}",
        verified_at=AT,
        expect_status=200.0,
        latencies_ms=[4.0, 31.0],
    ),
    "restore": observed(
        "checks:RestoreDrill",
        BACKEND,
        release=f"registry.fly.io/solserver@{DIGEST}",
        snapshot_id="vs_1",
        restored_at=AT,
        seconds=4.5,
        rows={"notes": 3.0},
    ),
    "monitor-app": observed(
        "fly:App", MONITORING, name="solos-monitor", org="sol-labs", hostname="solos-monitor.fly.dev"
    ),
    "prometheus": observed("fly:Machine", MONITORING, name="prometheus", region="ord", image="i", config={}),
    "logs": observed(
        "fly:Machine",
        MONITORING,
        name="logs",
        region="ord",
        image="i",
        config={"env": {"LOG_SINK_URL": "https://logs.example"}},
    ),
    "watch": observed(
        "checks:Watch",
        MONITORING,
        url="https://solos.fly.dev/health",
        latency_ms=4.2,
        certificate_days=80.0,
        loaded_rules=14.0,
        sources=["app", "logs"],
        lines=12.0,
        lines_kept=11.0,
        seen_at=AT,
    ),
    "alert": observed(
        "checks:AlertDrill",
        MONITORING,
        watched="solos",
        receiver="page",
        fired_at=AT,
        delivered_seconds=0.8,
        resolved_at=AT,
    ),
    "bundle-id": observed("appstore:BundleId", TESTFLIGHT, id="B1", identifier="example.sollabs.solos"),
    "app-record": observed("appstore:App", TESTFLIGHT, id="640", name="SolOS", sku="solos"),
    "certificate": observed(
        "appstore:Certificate",
        SIGNING,
        name="Apple Distribution: Sol Labs",
        serial_number="76EC",
        expires_at="2027-11-01T00:00:00+00:00",
    ),
    "profile": observed(
        "appstore:Profile",
        SIGNING,
        full_name="SolOS App Store 3267",
        profile_state="ACTIVE",
        expires_at="2027-11-01T00:00:00+00:00",
    ),
    "build": observed(
        "appstore:BuildUpload",
        TESTFLIGHT,
        short_version="1.0.0",
        version="0",
        sha256="a" * 64,
        upload_id="U1",
        info={"API_BASE_URL": "https://solos.fly.dev"},
    ),
    "processed": observed(
        "appstore:ProcessedBuild",
        TESTFLIGHT,
        build_id="P1",
        upload_id="U1",
        short_version="1.0.0",
        version="0",
        uploaded_at=AT,
    ),
    "group": observed("appstore:BetaGroup", TESTFLIGHT, id="G1", name="Internal Testers", internal=True),
    "testers": observed("appstore:BetaTesters", TESTFLIGHT, testers=[{"email": ADA}], invited={}),
    "distribution": observed(
        "appstore:BuildDistribution",
        TESTFLIGHT,
        build_id="P1",
        internal_state="IN_BETA_TESTING",
        whats_new={"en-US": "Hello"},
    ),
    "installations": observed(
        "appstore:Installations",
        TESTFLIGHT,
        build_id="P1",
        short_version="1.0.0",
        version="0",
        devices={ADA: ["iPhone17,1"]},
        missing=[],
        sessions=9.0,
        crashes=0.0,
        seen_at=AT,
    ),
    "record": observed(
        "checks:LaunchRecord",
        ("Launch",),
        id="v0",
        label="v0",
        declared_by="Mara",
        declared_at=AT,
        facts={"version": "1.0.0", "build": "0", "image": f"registry.fly.io/solserver@{DIGEST}"},
    ),
}
"""Numbers are doubles, as they come from gRPC and from state."""


def known(
    changes: Mapping[str, Mapping[str, Any] | None] | None = None,
    *,
    failed: tuple[str, ...] = (),
    open: tuple[str, ...] = (),
) -> Known:
    """The proven stack with other outputs, or without a resource where the change is None; `failed` and `open` are sign-offs."""
    resources = dict(PROVEN)
    for name, outputs in (changes or {}).items():
        if outputs is None:
            del resources[name]
        else:
            before = resources[name]
            resources[name] = Observed(
                kind=before.kind, id=before.id, components=before.components, outputs={**before.outputs, **outputs}
            )
    return Known(
        resources=tuple(resources.values()),
        sign_offs=SignOffs(
            build="1.0.0 (0)",
            image="registry.fly.io/solserver:1.0.0",
            signed_off=5 - len(failed) - len(open),
            needed=5,
            failed=failed,
            open=open,
        ),
        label="v0",
        now=NOW,
    )


def without_monitor() -> dict[str, None]:
    """The change that leaves the whole monitor out."""
    return dict.fromkeys(("monitor-app", "prometheus", "logs", "watch", "alert"))
