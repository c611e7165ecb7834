"""A stack that sets nearly every key, for tests that change one of them."""

from typing import Any

import yaml

from harness.program import ROOT

SECRET = "s3cret-value"
"""Part of each secret: no problem may show it."""
ENCRYPTED = ("secrets", "monitoringSecrets", "flyApiToken", "ascPrivateKey", "betterStackApiToken")
URL = f"https://x.example/{SECRET}"
TRIED = {"build": "1.0.0 (0)", "image": "registry.fly.io/solserver:1.0.0"}
GIVEN: dict[str, Any] = {
    "org": "sol-labs",
    "app": "solos-prod",
    "image": "registry.fly.io/solserver:1.0.0",
    "imageBuild": {"command": "true", "context": "monitoring/receivers"},
    "database": {"kind": "sqlite", "restoreDrill": "true", "fromSnapshot": "vs_1"},
    "secrets": {
        "BUCKET_NAME": SECRET,
        "AWS_ACCESS_KEY_ID": SECRET,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_ENDPOINT_URL_S3": URL,
    },
    "domain": "api.sollabs.example",
    "waitForDomain": "60",
    "healthPath": "/health",
    "expectBody": "1.0.0",
    "monitoring": {
        "page": "webhook",
        "ticket": "slack",
        "region": "ord",
        "sink": "loki",
        "sinkUrl": "https://l.example",
        "sinkUser": "1",
        "repository": "https://g.example/",
        "logs": "true",
        "drill": "false",
        "uptimeCheck": "betterstack",
        "uptimeSeconds": "180",
    },
    "monitoringSecrets": {
        "metricsToken": SECRET,
        "page": URL,
        "ticket": URL,
        "heartbeat": URL,
        "sinkToken": SECRET,
    },
    "bundleId": "com.sollabs.solos",
    "sku": "solos",
    "primaryLocale": "en-US",
    "capabilities": {"PUSH_NOTIFICATIONS": {}},
    "signing": {
        "certificate": "DISTRIBUTION",
        "profile": "P",
        "renewBeforeDays": "30",
        "revokeReplaced": "false",
    },
    "version": "1.0.0",
    "build": "0",
    "label": "v0",
    "ipa": "build/solmobile.ipa",
    "xcode": {
        "checkout": "../solmobile",
        "workspace": "w",
        "scheme": "s",
        "commit": "0123456789",
        "xcconfig": "R.xcconfig",
        "exportOptions": "E.plist",
    },
    "minimumOs": "17.0",
    "usageDescriptions": "NSCameraUsageDescription",
    "waitForAppRecord": "60",
    "testers": [{"email": "ada@sollabs.example", "firstName": "Ada", "lastName": "Ferreira"}],
    "feedbackEmail": "ada@sollabs.example",
    "whatToTest": {"en-US": "Please sign up."},
    "signOffs": {"of": TRIED, "ada@sollabs.example": {"sign-up": "passed"}},
    "waivers": {"alerting": {"reason": "later", "by": "Ada"}},
    "declaredBy": "Ada",
    "earlierReleases": {"v9": "launched"},
    "passEnvironment": "SSH_AUTH_SOCK",
    "endpoints": {"fly": "http://127.0.0.1:1"},
    "flyApiToken": SECRET,
    "betterStackApiToken": SECRET,
    "ascPrivateKey": f"-----BEGIN PRIVATE KEY-----{SECRET}-----END PRIVATE KEY-----",
}


def full_settings() -> dict[str, Any]:
    """GIVEN, and the defaults of all other keys; without the prefix of the project."""
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))["config"]
    defaults = {key.removeprefix("solos:"): about.get("default") for key, about in declared.items()}
    return {key: value for key, value in defaults.items() if value is not None} | GIVEN
