"""A fly.toml with everything that the reader supports, and the machine config that flyctl's own code renders from it
(superfly/flyctl at ad0172fa, `appconfig.LoadConfig`, `Validate` and `ToMachineConfig`; decision 8)."""

import base64
from typing import Any

EVERYTHING = """\
app = "solos-prod"
primary_region = "sjc"
console_command = "node"
kill_signal = "SIGTERM"
kill_timeout = 45
swap_size_mb = 512

[build]
image = "registry.fly.io/solserver:1.0.0"

[deploy]
strategy = "rolling"
max_unavailable = 1
wait_timeout = "10m"

[env]
PORT = 8080
DATABASE_PATH = "/data/solos.db"
DEBUG = false

[processes]
app = "node server.js"

[[mounts]]
source = "solos_data"
destination = "/data"
initial_size = "10gb"
snapshot_retention = 14
scheduled_snapshots = false
auto_extend_size_threshold = 80
auto_extend_size_increment = "1GB"
auto_extend_size_limit = "50GB"
processes = ["app"]

[http_service]
internal_port = 8080
force_https = true
auto_stop_machines = "off"
auto_start_machines = true
min_machines_running = 1
processes = ["app"]

[http_service.http_options]
h2_backend = true
idle_timeout = 60

[http_service.http_options.response]
pristine = true

[http_service.http_options.response.headers]
X-Served-By = "solos"

[http_service.tls_options]
alpn = ["h2", "http/1.1"]

[http_service.concurrency]
type = "requests"
soft_limit = 200
hard_limit = 250

[[http_service.checks]]
method = "get"
path = "/health"
interval = "15s"
timeout = "1m30s"
grace_period = "500ms"
protocol = "http"
headers = { X-Check = "fly" }

[[services]]
protocol = "tcp"
internal_port = 8080
processes = ["app"]

[[services.ports]]
port = 10022
handlers = ["proxy_proto"]
proxy_proto_options = { version = "v2" }

[[services.ports]]
start_port = 11000
end_port = 11009

[[services.tcp_checks]]
interval = "10s"
timeout = "2s"

[checks.listening]
type = "tcp"
interval = "10s"

[checks.ready]
type = "http"
method = "get"
port = 8080
path = "/notes"

[[restart]]
policy = "on-failure"
retries = 3

[[metrics]]
port = 9090
path = "/metrics"

[[files]]
guest_path = "/etc/motd"
local_path = "motd"

[[files]]
guest_path = "/etc/raw"
raw_value = "raw"

[[files]]
guest_path = "/etc/key"
secret_name = "KEY"

[[vm]]
size = "shared-cpu-2x"
memory = "1gb"
"""

HTTP_OPTIONS = {
    "h2_backend": True,
    "idle_timeout": 60,
    "response": {"headers": {"X-Served-By": "solos"}, "pristine": True},
}
RENDERED: dict[str, Any] = {
    "env": {
        "PORT": "8080",
        "DATABASE_PATH": "/data/solos.db",
        "DEBUG": "false",
        "FLY_PROCESS_GROUP": "app",
        "PRIMARY_REGION": "sjc",
    },
    "init": {"cmd": ["node", "server.js"], "swap_size_mb": 512},
    "services": [
        {
            "protocol": "tcp",
            "internal_port": 8080,
            "autostop": False,
            "autostart": True,
            "min_machines_running": 1,
            "concurrency": {"type": "requests", "soft_limit": 200, "hard_limit": 250},
            "ports": [
                {"port": 80, "handlers": ["http"], "force_https": True, "http_options": HTTP_OPTIONS},
                {
                    "port": 443,
                    "handlers": ["http", "tls"],
                    "http_options": HTTP_OPTIONS,
                    "tls_options": {"alpn": ["h2", "http/1.1"]},
                },
            ],
            "checks": [
                {
                    "type": "http",
                    "method": "get",
                    "path": "/health",
                    "interval": "15s",
                    "timeout": "1m30s",
                    "grace_period": "500ms",
                    "protocol": "http",
                    "headers": [{"name": "X-Check", "values": ["fly"]}],
                }
            ],
        },
        {
            "protocol": "tcp",
            "internal_port": 8080,
            "ports": [
                {"port": 10022, "handlers": ["proxy_proto"], "proxy_proto_options": {"version": "v2"}},
                {"start_port": 11000, "end_port": 11009},
            ],
            "checks": [{"type": "tcp", "interval": "10s", "timeout": "2s"}],
        },
    ],
    "checks": {
        "listening": {"type": "tcp", "port": 8080, "interval": "10s"},
        "ready": {"type": "http", "port": 8080, "path": "/notes", "method": "GET"},
    },
    "mounts": [
        {
            "name": "solos_data",
            "path": "/data",
            "extend_threshold_percent": 80,
            "add_size_gb": 1,
            "size_gb_limit": 50,
        }
    ],
    "guest": {"cpu_kind": "shared", "cpus": 2, "memory_mb": 1024},
    "restart": {"policy": "on-failure", "max_retries": 3},
    "metrics": {"port": 9090, "path": "/metrics"},
    "files": [
        {"guest_path": "/etc/motd", "raw_value": base64.b64encode(b"hello").decode()},
        {"guest_path": "/etc/raw", "raw_value": base64.b64encode(b"raw").decode()},
        {"guest_path": "/etc/key", "secret_name": "KEY"},
    ],
    "stop_config": {"signal": "SIGTERM", "timeout": "45s"},
    "metadata": {"fly_platform_version": "v2", "fly_process_group": "app"},
}
