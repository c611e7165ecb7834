"""App Store Connect: one file per resource, named as Apple names it; `api/` talks to the API, `ipa/` reads IPAs."""
