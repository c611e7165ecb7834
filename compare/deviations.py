"""Differences that are accepted on purpose. They are printed as `known`, and fail neither the command nor a test."""

from collections.abc import Collection

ACCEPTED: dict[str, dict[str, str]] = {"fly": {}, "appstore": {}}
"""By vendor: what the line of the difference begins with, and why the double keeps it:
`{"POST /v1/apps: HTTP 409 from Fly.io": "the providers handle both"}`."""


def stale(vendor: str, lines: Collection[str]) -> list[str]:
    """What is accepted at a vendor, but begins none of the lines."""
    return [start for start in ACCEPTED[vendor] if not any(line.startswith(start) for line in lines)]


def reason(vendor: str, line: str) -> str:
    """Why the difference is accepted; empty if it is not."""
    return next((why for start, why in ACCEPTED[vendor].items() if line.startswith(start)), "")
