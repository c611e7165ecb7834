"""The monitor: a second Fly app that watches the backend and sends alerts."""
