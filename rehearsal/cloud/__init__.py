"""Doubles of Fly.io and App Store Connect that behave as the wire does, for one machine.

Promise: strict by default. State machines, eventual consistency, rate limits, leases and exact error bodies follow what was
recorded of the real services, not what their specifications hope. State lives in one SQLite file and survives a restart; a
machine of a known image is a real process; every request is journaled; any call can be made to fail, hang or be throttled.

Not promised: performance, prices, security, or any endpoint that a launch does not use (those answer 501 and say so).

    store.py      documents in SQLite                 service.py   one HTTP service: routes, journal, faults
    clock.py      time, and how long things take      world.py     all services over one store
    journal.py    every request and answer            server.py    the world on loopback ports
    faults.py     what shall go wrong                 control.py   the human's part, and the tests' handles
    fly/          api.machines.dev, api.fly.io, registry, edge, machines as processes
    appstore/     api.appstoreconnect.apple.com and its upload storage
"""
