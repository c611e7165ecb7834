"""Apple's specification of the API, and where its server is known to deviate from it."""

NAME = "app-store-connect-4.4.1.flow.json"
DEVIATIONS = {
    r": the response.*\.attributes\..*: None is not ": "attributes that nobody has set are sent as null",
    r": the response.*\.relationships\.\w+\.data: None is not": "no object at the other end, as JSON:API says it",
    r": the response\.errors\[\d+\]: 'detail' is a required property": "sometimes it is missing",
    r"DELETE /v1/bundleIds/\{id\}: HTTP 409 is not described": "one that an app uses cannot be deleted",
    r"(: the response|/v1/certificates: fields).*csrContent": "Apple sends it, and clients rely on it",
    r"\.capabilityType: 'PRIVATE_CLOUD_COMPUTE' is not one of": "there are more types than Apple describes",
}
