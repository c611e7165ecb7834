"""The script of App Store Connect: a bundle ID, its capabilities, a profile and a tester group; everything else is only read.

The group is made in an app of the account, because the API cannot make apps. What cannot be undone is made on request only: the option
`certificate` creates a distribution certificate and revokes it, the option `testers` sends an invitation to an address.
"""

import base64
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from compare.mark import PREFIX, Mark
from compare.script import Leftover, Part, Script, Step, Unlisted, Until, at, listed
from compare.wire import Api, Call, Wire
from providers.appstore.api.client import API
from providers.appstore.signing_key import fingerprint, signing_request

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

CERTIFICATE, TESTERS = "certificate", "testers"
BUNDLE, PROFILE, GROUP = "/v1/bundleIds/{bundle}", "/v1/profiles/{profile}", "/v1/betaGroups/{group}"
CAPABILITY, INVITATION = "/v1/bundleIdCapabilities/{capability}", "/v1/userInvitations/{invitation}"
MARKED = {
    "bundleIds": "identifier",
    "profiles": "name",
    "betaGroups": "name",
    "betaTesters": "email",
    "userInvitations": "email",
}
"""The attribute that carries our mark, by type."""
LISTS = {
    "betaTesters": f"filter[firstName]={PREFIX}&",
    "userInvitations": "",
    "betaGroups": "",
    "profiles": "",
    "bundleIds": "",
}
"""The lists that can show leftovers, with their queries, dependents first."""


def _document(type: str, attributes: Mapping[str, Any], **relationships: object) -> dict[str, Any]:
    """The body of a POST."""
    linked = {name: {"data": data} for name, data in relationships.items()}
    return {"data": {"type": type, "attributes": attributes, **({"relationships": linked} if linked else {})}}


def _change(type: str, id: str, **attributes: object) -> dict[str, Any]:
    """The body of a PATCH."""
    return {"data": {"type": type, "id": id, "attributes": attributes}}


def _ref(type: str, id: str) -> dict[str, str]:
    return {"type": type, "id": id}


ACCOUNT = Part(
    name="account",
    steps=[
        Step(name="use a wrong token", call="GET /v1/apps", auth="wrong"),
        Step(name="list apps", call="GET /v1/apps?limit=10", foreign=True),
        Step(
            name="read the app",
            call="GET /v1/apps/{app}",
            foreign=True,
            keep={"identifier": "data.attributes.bundleId"},
        ),
        Step(name="look the app up", call="GET /v1/apps?filter[bundleId]={identifier}", foreign=True),
        Step(name="read an unknown app", call="GET /v1/apps/{no_app}"),
        Step(name="send an unknown parameter", call="GET /v1/apps?no_such_parameter=1"),
        Step(name="send a bad limit", call="GET /v1/apps?limit=1000"),
        Step(name="list users", call="GET /v1/users?limit=10", foreign=True),
        Step(name="list invitations", call="GET /v1/userInvitations?limit=10", foreign=True),
        Step(
            name="list certificates",
            call="GET /v1/certificates?filter[certificateType]=DISTRIBUTION,IOS_DISTRIBUTION&limit=10",
            foreign=True,
            keep={"certificate": "data.0.id"},
        ),
        Step(name="read a certificate", call="GET /v1/certificates/{certificate}", foreign=True),
        Step(name="read an unknown certificate", call="GET /v1/certificates/{no_id}"),
    ],
)
BUILDS = Part(
    name="builds",
    steps=[
        Step(
            name="list builds",
            call="GET /v1/builds?filter[app]={app}&include=preReleaseVersion,buildBetaDetail,betaGroups&limit=10",
            foreign=True,
            keep={"build": "data.0.id"},
        ),
        Step(
            name="list builds of a version",
            call="GET /v1/builds?filter[app]={app}&filter[preReleaseVersion.version]=1.0.0&limit=10",
            foreign=True,
        ),
        Step(name="read a build", call="GET /v1/builds/{build}?include=buildBetaDetail", foreign=True),
        Step(
            name="read its TestFlight state",
            call="GET /v1/builds/{build}/buildBetaDetail",
            foreign=True,
            keep={"detail": "data.id"},
        ),
        Step(name="read the same by its id", call="GET /v1/buildBetaDetails/{detail}", foreign=True),
        Step(name="read its usage", call="GET /v1/builds/{build}/metrics/betaBuildUsages", foreign=True),
        Step(
            name="list its texts",
            call="GET /v1/betaBuildLocalizations?filter[build]={build}",
            foreign=True,
            keep={"text": "data.0.id"},
        ),
        Step(name="read a text", call="GET /v1/betaBuildLocalizations/{text}", foreign=True),
        Step(
            name="list uploads",
            call="GET /v1/apps/{app}/buildUploads?include=assetFile&limit=10",
            foreign=True,
            keep={"upload": "data.0.id"},
        ),
        Step(name="read an upload", call="GET /v1/buildUploads/{upload}?include=build", foreign=True),
        Step(
            name="list its files",
            call="GET /v1/buildUploads/{upload}/buildUploadFiles",
            foreign=True,
            keep={"file": "data.0.id"},
        ),
        Step(name="read a file", call="GET /v1/buildUploadFiles/{file}", foreign=True),
        Step(name="list crashes", call="GET /v1/apps/{app}/betaFeedbackCrashSubmissions?limit=10", foreign=True),
        Step(
            name="list screenshots", call="GET /v1/apps/{app}/betaFeedbackScreenshotSubmissions?limit=10", foreign=True
        ),
        Step(
            name="list test information",
            call="GET /v1/betaAppLocalizations?filter[app]={app}",
            foreign=True,
            keep={"information": "data.0.id"},
        ),
        Step(name="read test information", call="GET /v1/betaAppLocalizations/{information}", foreign=True),
        Step(name="list testers", call="GET /v1/betaTesters?filter[apps]={app}&limit=10", foreign=True),
    ],
)
CREATE_PROFILE = _document(
    "profiles",
    {"name": "{mark}", "profileType": "IOS_APP_STORE"},
    bundleId=_ref("bundleIds", "{bundle}"),
    certificates=[_ref("certificates", "{certificate}")],
)
REGISTRATION = {"identifier": "{bundle_identifier}", "name": "{bundle_name}", "platform": "IOS"}
BUNDLES = Part(
    name="bundle ID and profile",
    after=["account"],
    steps=[
        Step(
            name="register a bad bundle ID",
            call="POST /v1/bundleIds",
            body=_document("bundleIds", {**REGISTRATION, "name": "comma, dash"}),
        ),
        Step(
            name="register a bundle ID with an unknown attribute",
            call="POST /v1/bundleIds",
            body=_document("bundleIds", {**REGISTRATION, "noSuchAttribute": "x"}),
        ),
        Step(
            name="register a bundle ID without a name",
            call="POST /v1/bundleIds",
            body=_document("bundleIds", {"identifier": "{bundle_identifier}", "platform": "IOS"}),
        ),
        Step(
            name="register the bundle ID",
            call="POST /v1/bundleIds",
            body=_document("bundleIds", REGISTRATION),
            keep={"bundle": "data.id"},
        ),
        Step(
            name="create a profile for the new bundle ID",
            call="POST /v1/profiles",
            body=CREATE_PROFILE,
            keep={"profile": "data.id"},
            until=Until(seconds=300),
        ),
        Step(name="create the profile again", call="POST /v1/profiles", body=CREATE_PROFILE, needs=["profile"]),
        Step(
            name="see the profile listed",
            call="GET /v1/profiles?filter[name]={mark}&include=bundleId,certificates",
            until=Until(seconds=60, shows="{profile}"),
        ),
        Step(
            name="find it by a part of its name",
            call=f"GET /v1/profiles?filter[name]={PREFIX}&limit=1",
            needs=["profile"],
        ),
        Step(name="read the profile", call=f"GET {PROFILE}?include=bundleId,certificates"),
        Step(
            name="register it again",
            call="POST /v1/bundleIds",
            body=_document("bundleIds", REGISTRATION),
            needs=["bundle"],
        ),
        Step(
            name="see the bundle ID listed",
            call="GET /v1/bundleIds?filter[identifier]={bundle_identifier}&include=app",
            until=Until(seconds=60, shows="{bundle_identifier}"),
        ),
        Step(
            name="find it by a part of its identifier",
            call=f"GET /v1/bundleIds?filter[identifier]={PREFIX}&limit=1",
            needs=["bundle"],
        ),
        Step(name="read the bundle ID", call=f"GET {BUNDLE}?include=app"),
        Step(name="read an unknown bundle ID", call="GET /v1/bundleIds/{no_id}"),
    ],
)
SETTINGS = [{"key": "ICLOUD_VERSION", "options": [{"key": "XCODE_6"}]}]
ENABLE = _document(
    "bundleIdCapabilities",
    {"capabilityType": "ICLOUD", "settings": SETTINGS},
    bundleId=_ref("bundleIds", "{bundle}"),
)
CAPABILITIES = Part(
    name="capabilities",
    after=["bundle ID and profile"],
    steps=[
        Step(
            name="enable a capability",
            call="POST /v1/bundleIdCapabilities",
            body=ENABLE,
            keep={"capability": "data.id"},
        ),
        Step(
            name="see the profile become invalid",
            needs=["capability"],
            call=f"GET {PROFILE}",
            until=Until(seconds=120, path="data.attributes.profileState", value="INVALID"),
        ),
        Step(name="enable it again", call="POST /v1/bundleIdCapabilities", body=ENABLE),
        Step(
            name="enable an unknown capability",
            call="POST /v1/bundleIdCapabilities",
            body=_document(
                "bundleIdCapabilities", {"capabilityType": "NO_SUCH"}, bundleId=_ref("bundleIds", "{bundle}")
            ),
        ),
        Step(
            name="change the settings of the capability",
            call=f"PATCH {CAPABILITY}",
            body=_change("bundleIdCapabilities", "{capability}", settings=SETTINGS),
        ),
        Step(
            name="see the capabilities",
            call=f"GET {BUNDLE}?include=bundleIdCapabilities&limit[bundleIdCapabilities]=50",
            until=Until(seconds=60, shows="ICLOUD"),
        ),
        Step(name="disable the capability", call=f"DELETE {CAPABILITY}"),
        Step(name="disable it again", call=f"DELETE {CAPABILITY}"),
    ],
)
PROFILES = Part(
    name="end of the profile",
    after=["bundle ID and profile", "capabilities"],
    steps=[
        Step(name="delete the profile", call=f"DELETE {PROFILE}"),
        Step(name="see the profile go", call=f"GET {PROFILE}", until=Until(seconds=60, status=404)),
        Step(name="delete it again", call=f"DELETE {PROFILE}"),
    ],
)
CREATE_GROUP = _document(
    "betaGroups",
    {"name": "{mark}", "isInternalGroup": True, "hasAccessToAllBuilds": False, "feedbackEnabled": True},
    app=_ref("apps", "{app}"),
)
GROUPS = Part(
    name="group",
    steps=[
        Step(name="create a group", call="POST /v1/betaGroups", body=CREATE_GROUP, keep={"group": "data.id"}),
        Step(name="create a second one of its name", call="POST /v1/betaGroups", body=CREATE_GROUP, needs=["group"]),
        Step(
            name="see the group listed",
            call="GET /v1/betaGroups?filter[app]={app}&filter[name]={mark}",
            until=Until(seconds=60, shows="{group}"),
        ),
        Step(
            name="find it by a part of its name too",
            call=f"GET /v1/betaGroups?filter[app]={{app}}&filter[name]={PREFIX}&limit=1",
            needs=["group"],
        ),
        Step(name="read the group", call=f"GET {GROUP}"),
        Step(
            name="switch feedback off",
            call=f"PATCH {GROUP}",
            body=_change("betaGroups", "{group}", feedbackEnabled=False),
        ),
        Step(
            name="give it access to all builds",
            call=f"PATCH {GROUP}",
            body=_change("betaGroups", "{group}", hasAccessToAllBuilds=True),
        ),
        Step(
            name="give it a public link",
            call=f"PATCH {GROUP}",
            body=_change("betaGroups", "{group}", publicLinkEnabled=True),
        ),
        Step(name="list its testers", call="GET /v1/betaTesters?filter[betaGroups]={group}"),
        Step(
            name="add an unknown tester",
            call=f"POST {GROUP}/relationships/betaTesters",
            body={"data": [_ref("betaTesters", "{no_tester}")]},
        ),
    ],
)
INVITE = _document(
    "userInvitations",
    {"email": "{email}", "firstName": PREFIX, "lastName": "test", "roles": ["DEVELOPER"], "allAppsVisible": False},
    visibleApps=[_ref("apps", "{app}")],
)
CREATE_TESTER = _document("betaTesters", {"email": "{email}", "firstName": PREFIX, "lastName": "test"})
TESTERS_PART = Part(
    name="testers",
    after=["group"],
    option=TESTERS,
    steps=[
        Step(name="invite a user", call="POST /v1/userInvitations", body=INVITE, keep={"invitation": "data.id"}),
        Step(name="invite the user again", call="POST /v1/userInvitations", body=INVITE, needs=["invitation"]),
        Step(
            name="see the invitation",
            call="GET /v1/userInvitations?filter[email]={email_in_query}",
            until=Until(seconds=60, shows="{invitation}"),
        ),
        Step(name="create a tester", call="POST /v1/betaTesters", body=CREATE_TESTER, keep={"tester": "data.id"}),
        Step(name="create the tester again", call="POST /v1/betaTesters", body=CREATE_TESTER, needs=["tester"]),
        Step(name="look the tester up", call="GET /v1/betaTesters?filter[email]={email_in_query}", needs=["tester"]),
        Step(
            name="add a tester who is not a user",
            call=f"POST {GROUP}/relationships/betaTesters",
            body={"data": [_ref("betaTesters", "{tester}")]},
        ),
        Step(
            name="remove a tester who is not in the group",
            call=f"DELETE {GROUP}/relationships/betaTesters",
            body={"data": [_ref("betaTesters", "{tester}")]},
        ),
        Step(name="withdraw the invitation", call=f"DELETE {INVITATION}"),
        Step(name="withdraw it again", call=f"DELETE {INVITATION}"),
    ],
)
REQUEST = _document("certificates", {"csrContent": "{csr}", "certificateType": "DISTRIBUTION"})
CERTIFICATES = Part(
    name="certificate",
    option=CERTIFICATE,
    steps=[
        Step(
            name="request a certificate with a bad CSR",
            call="POST /v1/certificates",
            body=_document("certificates", {"csrContent": "{mark}", "certificateType": "DISTRIBUTION"}),
        ),
        Step(name="request a certificate", call="POST /v1/certificates", body=REQUEST, keep={"new": "data.id"}),
        Step(name="read the new certificate", call="GET /v1/certificates/{new}"),
        Step(name="revoke the certificate", call="DELETE /v1/certificates/{new}"),
        Step(name="see the certificate go", call="GET /v1/certificates/{new}", until=Until(seconds=60, status=404)),
        Step(name="revoke it again", call="DELETE /v1/certificates/{new}"),
    ],
)
END = Part(
    name="end",
    after=[part.name for part in (PROFILES, TESTERS_PART, GROUPS, CAPABILITIES)],
    steps=[
        Step(name="delete the group", call=f"DELETE {GROUP}"),
        Step(name="see the group go", call=f"GET {GROUP}", until=Until(seconds=60, status=404)),
        Step(name="delete the group again", call=f"DELETE {GROUP}"),
        Step(name="delete the bundle ID", call=f"DELETE {BUNDLE}"),
        Step(name="see the bundle ID go", call=f"GET {BUNDLE}", until=Until(seconds=60, status=404)),
        Step(name="delete the bundle ID again", call=f"DELETE {BUNDLE}"),
    ],
)
PARTS: Sequence[Part] = (
    ACCOUNT,
    BUILDS,
    BUNDLES,
    CAPABILITIES,
    PROFILES,
    GROUPS,
    TESTERS_PART,
    CERTIFICATES,
    END,
)


def script(
    app: str,
    account: str,
    authorize: Callable[[], str],
    *,
    email: str = "",
    signing_key: "RSAPrivateKey | None" = None,
    url: str = API,
) -> Script:
    """The script for an app, the id of its record. `account` is the issuer of the key, or the id of an individual key. `email` is for
    the option `testers`, `signing_key` for the option `certificate`."""
    mark = Mark(account)
    new = mark.new()
    local, _, domain = email.partition("@")
    address = f"{local}+{new}@{domain}" if email else ""
    csr = signing_request(signing_key) if signing_key else ""
    return Script(
        vendor="appstore",
        title="App Store Connect",
        account=app,
        creates=f"one bundle ID with a capability and a profile; in app {app} two tester groups without testers",
        parts=PARTS,
        apis={"main": Api(url, authorize)},
        mark=mark,
        values={
            "mark": new,
            "app": app,
            "bundle_identifier": f"test.{new}",
            "bundle_name": new.replace("-", " "),
            "email": address,
            "email_in_query": address.replace("+", "%2B"),
            "csr": csr,
            "no_app": "1",
            "no_id": "AAAAAAAAAA",
            "no_tester": "00000000-0000-0000-0000-000000000000",
        },
        may_write=lambda call, ours: _may_write(mark, csr, call, ours),
        leftovers=[
            *(functools.partial(_leftovers, mark, type, query) for type, query in LISTS.items()),
            *([functools.partial(_leftover_certificates, signing_key)] if signing_key else []),
        ],
        required=Call(api="main", method="GET", path=f"/v1/apps/{app}"),
    )


def _may_write(mark: Mark, csr: str, call: Call, ours: set[str]) -> bool:
    """To create something with our mark, or in something that is ours; to change and delete only what is ours."""
    path, data = call.path.partition("?")[0], (call.body or {}).get("data")
    type, _, rest = path.removeprefix("/v1/").partition("/")
    if rest:
        id, _, relationship = rest.partition("/")
        is_known = not relationship or all(ref["id"] in ours or set(ref["id"]) == {"0", "-"} for ref in data or ())
        return id in ours and is_known
    attributes = at(data, "attributes") or {}
    if type == "certificates":
        return bool(csr) and (attributes.get("csrContent") == csr or mark.is_in(attributes.get("csrContent", "")))
    if type == "bundleIdCapabilities":
        return at(data, "relationships.bundleId.data.id") in ours
    return type in MARKED and mark.is_in(attributes.get(MARKED[type], ""))


def _leftovers(mark: Mark, type: str, query: str, wire: Wire) -> Iterator[Leftover]:
    """The objects of a type with our mark. A key that may not see invitations cannot have made any."""
    try:
        for each in listed(wire, Call(api="main", method="GET", path=f"/v1/{type}?{query}limit=200")):
            marked = str(at(each, f"attributes.{MARKED[type]}"))
            if mark.is_in(marked):
                yield _leftover(wire, each, marked)
    except Unlisted as unlisted:
        if (type, unlisted.status) != ("userInvitations", 403):
            raise


def _leftover_certificates(signing_key: "RSAPrivateKey", wire: Wire) -> Iterator[Leftover]:
    for each in listed(wire, Call(api="main", method="GET", path="/v1/certificates?limit=200")):
        if _is_of(signing_key, each):
            serial = at(each, "attributes.serialNumber")
            yield _leftover(wire, each, f"with serial number {serial}, made with the key in .compare/")


def _leftover(wire: Wire, each: Mapping[str, Any], name: str) -> Leftover:
    wire.ours.add(each["id"])
    delete = Call(api="main", method="DELETE", path=f"/v1/{each['type']}/{each['id']}")
    return Leftover(title=f"{each['type']} {name}", delete=delete)


def _is_of(signing_key: "RSAPrivateKey", certificate: Mapping[str, Any]) -> bool:
    """Whether a certificate is of our key: its name is the team's, so it cannot carry a mark."""
    from cryptography import x509

    try:
        content = base64.b64decode(at(certificate, "attributes.certificateContent") or "")
        public = x509.load_der_x509_certificate(content).public_key()
    except ValueError:
        return False
    return fingerprint(public) == fingerprint(signing_key.public_key())
