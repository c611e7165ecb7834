"""The endpoints of the program (`endpoints`), and the service of the doubles behind each."""

ENDPOINTS = {
    "fly": "fly",
    "flyPlatform": "fly_platform",
    "registry": "registry",
    "proxy": "proxy",
    "appstore": "appstore",
    "betterStack": "betterstack",
}
NOWHERE = dict.fromkeys(ENDPOINTS, "http://127.0.0.1:1")
"""Endpoints where nothing listens, for programs that must not call any vendor."""
