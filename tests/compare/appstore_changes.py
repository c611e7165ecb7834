"""Ten changed doubles of App Store Connect."""

from tests.compare.changes import Change, added, replaced, unwrapped, without

CHANGES = (
    Change(
        name="bundle ID keeps the platform of the request",
        call="POST /v1/bundleIds",
        of_status=201,
        body=replaced("data", "attributes", "platform", by="IOS"),
        line=("POST /v1/bundleIds:", "data.attributes.platform: IOS from App Store Connect, UNIVERSAL from the double"),
    ),
    Change(
        name="another code for a taken identifier",
        call="POST /v1/bundleIds",
        of_status=409,
        body=replaced("errors", "*", "code", by="ENTITY_ERROR"),
        line=("POST /v1/bundleIds:", "errors[].code: ENTITY_ERROR from App Store Connect"),
    ),
    Change(
        name="error without source",
        call="GET /v1/apps",
        of_status=400,
        body=without("errors", "*", "source"),
        line=("GET /v1/apps:", "only the double has the field errors[].source"),
    ),
    Change(
        name="capability without envelope",
        alone=True,
        call="POST /v1/bundleIdCapabilities",
        of_status=201,
        body=unwrapped("data"),
        line=("POST /v1/bundleIdCapabilities:", "the double has an envelope data"),
    ),
    Change(
        name="profile with a field more",
        call="GET /v1/profiles/[^/]+",
        of_status=200,
        body=added("data", "attributes", "isOfflineProfile", value=False),
        line=("GET /v1/profiles/{id}:", "only App Store Connect has the field data.attributes.isOfflineProfile"),
    ),
    Change(
        name="size of a file as text",
        call="GET /v1/buildUploadFiles/[^/]+",
        body=replaced("data", "attributes", "fileSize", by="1 MB"),
        line=("GET /v1/buildUploadFiles/{id}:", "data.attributes.fileSize: <text> from App Store Connect"),
    ),
    Change(
        name="deleted group answers 410",
        call="DELETE /v1/betaGroups/[^/]+",
        of_status=404,
        status=410,
        line=("DELETE /v1/betaGroups/{id}:", "HTTP 410 from App Store Connect, HTTP 404 from the double"),
    ),
    Change(
        name="no rate limit in a header",
        call="GET /v1/users",
        headers={"x-rate-limit": None},
        line=("GET /v1/users:", "only the double has the header x-rate-limit"),
    ),
    Change(
        name="profiles wait longer for a bundle ID",
        delays={"profile_too_early": 60.0},
        line=("POST /v1/profiles:", "after 6", "from App Store Connect, after 11 s from the double"),
    ),
    Change(
        name="a profile stays valid after a change of capabilities",
        alone=True,
        delays={"profile_invalid": 1e9},
        line=("GET /v1/profiles/{id}:", "200 ACTIVE, then not within 120 s; the double 200 ACTIVE, then 200 INVALID"),
    ),
)
