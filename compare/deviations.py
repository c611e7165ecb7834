"""Differences that are accepted on purpose. They are printed as `known`, and fail neither the command nor a test."""

ACCEPTED: dict[str, dict[str, str]] = {"fly": {}, "appstore": {}}
"""By vendor: what the line of the difference begins with, and why the double keeps it:
`{"POST /v1/apps: HTTP 409 from Fly.io": "the providers handle both"}`."""


def reason(vendor: str, line: str) -> str:
    """Why the difference is accepted; empty if it is not."""
    return next((why for start, why in ACCEPTED[vendor].items() if line.startswith(start)), "")
