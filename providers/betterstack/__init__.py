"""Better Stack: `api.py` talks to its Uptime API, `monitor.py` is the resource."""
