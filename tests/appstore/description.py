"""Apple's own description of the API, and what its server does otherwise (app-store-connect.md, 2.4)."""

NAME = "app-store-connect-4.4.1.flow.json"
DEVIATIONS = {
    r": the answer.*\.attributes\..*: None is not ": "attributes that nobody has set are sent as null",
    r"DELETE /v1/bundleIds/\{id\}: HTTP 409 is not described": "one that an app uses cannot be deleted",
}
