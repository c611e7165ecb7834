"""The double of Fly.io: the Machines API, api.fly.io, the registry, the proxy, and the machines themselves."""
