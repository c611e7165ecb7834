"""Apple's documents to our objects and back: each object once in each direction, and responses that do not fit."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from providers.appstore.api import documents
from providers.appstore.api.objects import (
    App,
    AppDevice,
    BetaAppLocalization,
    BetaBuildLocalization,
    BetaBuildUsage,
    BetaFeedbackCrashSubmission,
    BetaFeedbackScreenshotSubmission,
    BetaGroup,
    BetaTester,
    Build,
    BuildBetaDetail,
    BuildUpload,
    BuildUploadFile,
    BundleId,
    BundleIdCapability,
    BundleIdWithCapabilities,
    CapabilityOption,
    CapabilitySetting,
    Certificate,
    DeliveryState,
    PreReleaseVersion,
    Profile,
    RequestHeader,
    Resource,
    StateProblem,
    UploadOperation,
    User,
    UserInvitation,
)
from providers.decoding import Base64, Call, Instant, Unreadable, Url

ICLOUD = CapabilitySetting(key="ICLOUD_VERSION", options=[CapabilityOption(key="XCODE_6", enabled=True)])
CALL = Call(doing="look up a user", source="App Store Connect", request_id="ID1")
FILE = BuildUploadFile(id="f", file_name="a.ipa", file_size=9, asset_type="ASSET")


def data(type: str, id: str, attributes: dict[str, Any], **related: Any) -> dict[str, Any]:
    """One resource of a document. `related` are linkages: (type, id) or a list of them."""
    links = {name: {"data": _linkage(value)} for name, value in related.items()}
    return {"type": type, "id": id, "attributes": attributes, "relationships": links}


def _linkage(value: Any) -> Any:
    return [_linkage(item) for item in value] if isinstance(value, list) else {"type": value[0], "id": value[1]}


def document(*resources: dict[str, Any], included: tuple[dict[str, Any], ...] = ()) -> bytes:
    return json.dumps({"data": list(resources), "included": list(included), "links": {"self": "x"}}).encode()


FILE_DATA = data("buildUploadFiles", "f", {"fileName": "a.ipa", "fileSize": 9, "assetType": "ASSET"})
READ: list[tuple[Resource, dict[str, Any], tuple[dict[str, Any], ...]]] = [
    (
        App(id="1", bundle_id="com.x", name="X", sku="x", primary_locale="en-US"),
        data("apps", "1", {"bundleId": "com.x", "name": "X", "sku": "x", "primaryLocale": "en-US"}),
        (),
    ),
    (
        BundleId(id="1", identifier="com.x", name="X", platform="IOS", app=App.ref("7")),
        data("bundleIds", "1", {"identifier": "com.x", "name": "X", "platform": "IOS"}, app=("apps", "7")),
        (),
    ),
    (
        BundleIdWithCapabilities(
            id="1", bundle_id_capabilities=[BundleIdCapability(id="c", capability_type="ICLOUD", settings=[ICLOUD])]
        ),
        data("bundleIds", "1", {}, bundleIdCapabilities=[("bundleIdCapabilities", "c")]),
        (
            data(
                "bundleIdCapabilities",
                "c",
                {
                    "capabilityType": "ICLOUD",
                    "settings": [{"key": "ICLOUD_VERSION", "options": [{"key": "XCODE_6", "enabled": True}]}],
                },
            ),
        ),
    ),
    (
        Certificate(
            id="1",
            certificate_type="DISTRIBUTION",
            certificate_content=Base64("AA=="),
            name="N",
            display_name="D",
            serial_number="5",
            expiration_date=Instant("2027-01-01T00:00:00.000+0000"),
        ),
        data(
            "certificates",
            "1",
            {
                "certificateType": "DISTRIBUTION",
                "certificateContent": "AA==",
                "name": "N",
                "displayName": "D",
                "serialNumber": "5",
                "expirationDate": "2027-01-01T00:00:00.000+0000",
            },
        ),
        (),
    ),
    (
        Profile(
            id="1",
            name="P",
            profile_type="IOS_APP_STORE",
            profile_state="ACTIVE",
            profile_content=Base64("AA=="),
            uuid="u",
            expiration_date=Instant("2027-01-01T00:00:00Z"),
            bundle_id=BundleId.ref("b"),
            certificates=[Certificate.ref("c")],
        ),
        data(
            "profiles",
            "1",
            {
                "name": "P",
                "profileType": "IOS_APP_STORE",
                "profileState": "ACTIVE",
                "profileContent": "AA==",
                "uuid": "u",
                "expirationDate": "2027-01-01T00:00:00Z",
            },
            bundleId=("bundleIds", "b"),
            certificates=[("certificates", "c")],
        ),
        (),
    ),
    (User(id="1", username="ada@x.io"), data("users", "1", {"username": "ada@x.io", "roles": ["ADMIN"]}), ()),
    (
        UserInvitation(id="1", email="ada@x.io", expiration_date=Instant("2027-01-01T00:00:00Z"), roles=["ADMIN"]),
        data(
            "userInvitations",
            "1",
            {"email": "ada@x.io", "expirationDate": "2027-01-01T00:00:00Z", "roles": ["ADMIN"], "firstName": None},
        ),
        (),
    ),
    (
        BetaGroup(id="1", name="G", is_internal_group=True, has_access_to_all_builds=True, feedback_enabled=True),
        data(
            "betaGroups",
            "1",
            {"name": "G", "isInternalGroup": True, "hasAccessToAllBuilds": True, "feedbackEnabled": True},
        ),
        (),
    ),
    (
        BetaTester(
            id="1",
            email="ada@x.io",
            first_name="Ada",
            app_devices=[AppDevice(model="iPhone16,2", os_version="26.1", app_build_version="1.0.0 (0)")],
        ),
        data(
            "betaTesters",
            "1",
            {
                "email": "ada@x.io",
                "firstName": "Ada",
                "lastName": None,
                "appDevices": [{"model": "iPhone16,2", "osVersion": "26.1", "appBuildVersion": "1.0.0 (0)"}],
            },
        ),
        (),
    ),
    (
        BuildUpload(
            id="1",
            cf_bundle_short_version_string="1.0.0",
            cf_bundle_version="0",
            platform="IOS",
            state=DeliveryState(state="FAILED", errors=[StateProblem(code="90683", description="No text")]),
            asset_file=FILE,
            build=Build.ref("b"),
        ),
        data(
            "buildUploads",
            "1",
            {
                "cfBundleShortVersionString": "1.0.0",
                "cfBundleVersion": "0",
                "platform": "IOS",
                "state": {"state": "FAILED", "errors": [{"code": "90683", "description": "No text"}], "infos": []},
            },
            assetFile=("buildUploadFiles", "f"),
            build=("builds", "b"),
        ),
        (FILE_DATA,),
    ),
    (
        BuildUploadFile(
            id="1",
            file_name="a.ipa",
            file_size=9,
            asset_type="ASSET",
            uti="com.apple.ipa",
            asset_delivery_state=DeliveryState(state="UPLOAD_COMPLETE"),
            upload_operations=[
                UploadOperation(
                    method="PUT",
                    url=Url("https://s"),
                    offset=0,
                    length=9,
                    request_headers=[RequestHeader(name="A", value="b")],
                    expiration=Instant("2027-01-01T00:00:00Z"),
                ),
                UploadOperation(method="PUT", url=Url("https://t"), offset=9, length=0),
            ],
        ),
        data(
            "buildUploadFiles",
            "1",
            {
                "fileName": "a.ipa",
                "fileSize": 9,
                "assetType": "ASSET",
                "uti": "com.apple.ipa",
                "assetDeliveryState": {"state": "UPLOAD_COMPLETE", "errors": None},
                "uploadOperations": [
                    {
                        "method": "PUT",
                        "url": "https://s",
                        "offset": 0,
                        "length": 9,
                        "requestHeaders": [{"name": "A", "value": "b"}],
                        "expiration": "2027-01-01T00:00:00Z",
                    },
                    {"method": "PUT", "url": "https://t", "offset": 9, "length": 0, "requestHeaders": None},
                ],
            },
        ),
        (),
    ),
    (
        Build(
            id="1",
            version="0",
            processing_state="VALID",
            min_os_version="17.0",
            uploaded_date=Instant("2026-01-01T00:00:00Z"),
            expiration_date=Instant("2026-04-01T00:00:00Z"),
            expired=True,
            uses_non_exempt_encryption=False,
            build_beta_detail=BuildBetaDetail(id="d", internal_build_state="EXPIRED", auto_notify_enabled=True),
        ),
        data(
            "builds",
            "1",
            {
                "version": "0",
                "processingState": "VALID",
                "minOsVersion": "17.0",
                "uploadedDate": "2026-01-01T00:00:00Z",
                "expirationDate": "2026-04-01T00:00:00Z",
                "expired": True,
                "usesNonExemptEncryption": False,
            },
            buildBetaDetail=("buildBetaDetails", "d"),
        ),
        (data("buildBetaDetails", "d", {"internalBuildState": "EXPIRED", "autoNotifyEnabled": True}),),
    ),
    (
        BetaBuildLocalization(id="1", locale="en-US", whats_new="All"),
        data("betaBuildLocalizations", "1", {"locale": "en-US", "whatsNew": "All"}),
        (),
    ),
    (
        BetaAppLocalization(id="1", locale="en-US", feedback_email="a@x.io", description="D"),
        data("betaAppLocalizations", "1", {"locale": "en-US", "feedbackEmail": "a@x.io", "description": "D"}),
        (),
    ),
    (
        BetaFeedbackCrashSubmission(id="1", email="a@x.io", device_model="iPhone16,2", os_version="26.1", comment="!"),
        data(
            "betaFeedbackCrashSubmissions",
            "1",
            {"email": "a@x.io", "deviceModel": "iPhone16,2", "osVersion": "26.1", "comment": "!"},
        ),
        (),
    ),
    (
        BetaFeedbackScreenshotSubmission(id="1", created_date=Instant("2026-01-01T00:00:00Z")),
        data("betaFeedbackScreenshotSubmissions", "1", {"createdDate": "2026-01-01T00:00:00Z", "email": None}),
        (),
    ),
]


@pytest.mark.parametrize(("expected", "resource", "included"), READ, ids=[case[0].type for case in READ])
def test_object_read(expected: Resource, resource: dict[str, Any], included: tuple[dict[str, Any], ...]) -> None:
    unknown = {**resource, "attributes": {**resource["attributes"], "introducedLater": {"a": [1]}}}

    assert documents.read_page(type(expected), document(unknown, included=included), CALL) == ([expected], "")


def test_every_type_read() -> None:
    """A type that is added to objects.py is added to READ too."""
    included = {BundleIdCapability, BuildBetaDetail, PreReleaseVersion}

    assert {type(case[0]) for case in READ} | included == _leaves(Resource)


def _leaves(kind: type[Resource]) -> set[type[Resource]]:
    below = kind.__subclasses__()
    return set().union(*map(_leaves, below)) if below else {kind}


def test_related_object_not_included() -> None:
    """A linkage without the included object leaves the field empty, and a field for references keeps it."""
    upload = data(
        "buildUploads",
        "1",
        {"cfBundleShortVersionString": "1", "cfBundleVersion": "0", "platform": "IOS"},
        assetFile=("buildUploadFiles", "f"),
        build=("builds", "b"),
    )

    ((found,), _) = documents.read_page(BuildUpload, document(upload), CALL)

    assert (found.asset_file, found.build) == (None, Build.ref("b"))


def test_null_data() -> None:
    assert documents.read_optional(App, b'{"data": null}', CALL) is None


def test_next_page() -> None:
    content = b'{"data": [], "links": {"self": "a", "next": "https://api/v1/apps?cursor=b"}}'

    assert documents.read_page(App, content, CALL) == ([], "https://api/v1/apps?cursor=b")


def test_usage() -> None:
    points = [{"start": "s", "values": {"sessionCount": 3, "crashCount": None}}, {"values": {"feedbackCount": 1}}]
    content = json.dumps({"data": [{"dataPoints": points, "dimensions": {}}]}).encode()

    assert documents.read_usage(content, CALL) == [
        BetaBuildUsage(session_count=3),
        BetaBuildUsage(feedback_count=1),
    ]


@pytest.mark.parametrize(
    ("read", "content", "fault"),
    [
        (documents.read_page, document(data("users", "1", {"username": 5})), "Expected str, got int - at $.username"),
        (
            documents.read_page,
            document(data("users", "1", {"username": None})),
            "Object missing required field username",
        ),
        (documents.read_page, document(data("secret", "1", {})), "Expected an object of type users - at $.data.type"),
        (documents.read_page, b"{}", "Object missing required field data"),
        (documents.read_page, b'{"data": null, "links": {}}', "Object missing required field data"),
        (documents.read_page, b'{"data": []}', "Object missing required field links"),
        (documents.read_page, b'{"data": {"type": "users"}}', "Expected array, got object - at $.data"),
        (documents.read, b'{"data": {"type": "users"}}', "Object missing required field id - at $.data"),
        (documents.read, b'{"data": ["secret"]}', "Expected object, got array - at $.data"),
        (documents.read, b'{"data": null}', "Object missing required field data"),
        (documents.read_optional, b"{}", "Object missing required field data"),
        (documents.read_optional, b'["secret"]', "Expected object, got array"),
    ],
)
def test_unexpected_form(read: Callable[..., object], content: bytes, fault: str) -> None:
    """A response without the data never means that there is none."""
    with pytest.raises(Unreadable) as raised:
        read(User, content, CALL)

    assert raised.value.message == (
        "cannot look up a user: the response of App Store Connect (request id ID1) does not have the expected form: "
        + fault
    )


@pytest.mark.parametrize(
    ("kind", "values", "attributes", "relationships"),
    [
        (App, {"primary_locale": "de-DE"}, {"primaryLocale": "de-DE"}, {}),
        (
            BetaGroup,
            {"name": "G", "is_internal_group": True, "has_access_to_all_builds": None, "app": App.ref("1")},
            {"name": "G", "isInternalGroup": True},
            {"app": {"data": {"type": "apps", "id": "1"}}},
        ),
        (
            BundleIdCapability,
            {"capability_type": "ICLOUD", "settings": [ICLOUD], "bundle_id": BundleId.ref("b")},
            {
                "capabilityType": "ICLOUD",
                "settings": [{"key": "ICLOUD_VERSION", "options": [{"key": "XCODE_6", "enabled": True}]}],
            },
            {"bundleId": {"data": {"type": "bundleIds", "id": "b"}}},
        ),
        (
            BuildUpload,
            {"cf_bundle_short_version_string": "1", "cf_bundle_version": "0", "platform": "IOS"},
            {"cfBundleShortVersionString": "1", "cfBundleVersion": "0", "platform": "IOS"},
            {},
        ),
        (
            UserInvitation,
            {"email": "a@x.io", "all_apps_visible": False, "roles": ["ADMIN"], "visible_apps": [App.ref("1")]},
            {"email": "a@x.io", "allAppsVisible": False, "roles": ["ADMIN"]},
            {"visibleApps": {"data": [{"type": "apps", "id": "1"}]}},
        ),
        (Certificate, {"csr_content": "PEM"}, {"csrContent": "PEM"}, {}),
        (BuildUploadFile, {"uploaded": True, "file_size": 9}, {"uploaded": True, "fileSize": 9}, {}),
        (BetaBuildLocalization, {"whats_new": "All"}, {"whatsNew": "All"}, {}),
        (BuildBetaDetail, {"auto_notify_enabled": False}, {"autoNotifyEnabled": False}, {}),
    ],
)
def test_object_written(
    kind: type[Resource], values: dict[str, Any], attributes: dict[str, Any], relationships: dict[str, Any]
) -> None:
    written = documents.write(kind, values, id="9")

    related = {"relationships": relationships} if relationships else {}
    assert written == {"data": {"type": kind.type, "id": "9", "attributes": attributes, **related}}


def test_unknown_name_not_written() -> None:
    """A misspelled field is a defect, and is not sent."""
    with pytest.raises(KeyError):
        documents.write(App, {"primaryLocale": "de-DE"})
