"""The launch: smoke test, waivers, and the record that declares a release launched."""
