"""App Store Connect: one file a resource, named as Apple names it."""
