"""Where a person looks at what a row of the checklist is about: the vendors' own pages."""

from collections.abc import Callable, Mapping
from typing import Any

from report.state import Stack

FLY = "https://fly.io/apps"
APPLE = "https://appstoreconnect.apple.com/apps"
BUNDLE_IDS = "https://developer.apple.com/account/resources/identifiers/bundleId/edit"


def link(key: str, stack: Stack) -> str | None:
    """The address for the row `key`; None when it has none, or what it is about is not in the stack."""
    find = LINKS.get(key)
    try:
        return find(stack) if find else None
    except (KeyError, AttributeError):
        return None


def _outputs(stack: Stack, kind: str, part: str = "") -> dict[str, Any]:
    resource = (stack.part(part) if part else stack).find(kind)
    if resource is None:
        raise KeyError(kind)
    return resource.outputs


def _fly(page: str, part: str = "solos:Backend") -> Callable[[Stack], str]:
    return lambda stack: f"{FLY}/{_outputs(stack, 'fly:App', part)['name']}{page}"


def _apple(page: str) -> Callable[[Stack], str]:
    return lambda stack: f"{APPLE}/{_app_id(stack)}{page}"


def _app_id(stack: Stack) -> str:
    resource = stack.find("appstore:App")
    if resource is None:
        raise KeyError("appstore:App")
    return resource.id


def _health(stack: Stack) -> str:
    rollout = _outputs(stack, "checks:Rollout")
    return f"https://{rollout['hostname']}{rollout['path']}"


def _bundle_id(stack: Stack) -> str:
    resource = stack.find("appstore:BundleId")
    if resource is None:
        raise KeyError("appstore:BundleId")
    return f"{BUNDLE_IDS}/{resource.id}"


LINKS: Mapping[str, Callable[[Stack], str]] = {
    "app": _fly(""),
    "machine": _fly("/machines"),
    "database": _fly("/volumes"),
    "secrets": _fly("/secrets"),
    "address": lambda stack: str(stack.outputs["url"]),
    "healthy": _health,
    "monitoring": _fly("", "solos:Monitoring"),
    "alerting": _fly("/machines", "solos:Monitoring"),
    "backups": _fly("/volumes"),
    "bundle-id": _bundle_id,
    "app-entry": _apple("/distribution"),
    "uploaded": _apple("/testflight/ios"),
    "processed": _apple("/testflight/ios"),
    "group": _apple("/testflight"),
    "testers": _apple("/testflight"),
    "distributed": _apple("/testflight/ios"),
    "installed": _apple("/testflight/ios"),
    "no-crashes": _apple("/testflight/crashes"),
}
