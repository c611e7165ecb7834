"""Doubles of Fly.io and App Store Connect that behave like the real services on the wire, for use on one machine.

They are strict by default. State machines, eventual consistency, rate limits, leases and error bodies follow the real services
(`infra-docs/vendors/`). State is kept in one SQLite file and survives a restart; a machine of a known image is a real process; every
request is recorded in a journal; any call can be made to fail, hang or be throttled.

Not covered: performance, prices, security, and endpoints that a launch does not use (they return 501).

    store.py      documents in SQLite                 service.py   base of a service: routes, journal, faults
    clock.py      time, and the vendors' delays       world.py     makes and connects all services
    journal.py    every request and response          server.py    serves the world on loopback ports
    faults.py     injected faults                     control.py   actions of people, and controls for tests
    context.py    what every service uses
    fly/          api.machines.dev, api.fly.io, registry, proxy, machines as processes
    appstore/     api.appstoreconnect.apple.com and its upload storage
"""
