"""Each line of fly.toml, changed, added and removed."""

from functools import partial

from tests.mistakes.mistake import RESTART, line

VOLUME = "~ solos-backend-volume"
refused = partial(line, refused=True)

TOP = (
    line("app", 'app = "solos-prod"', 'app = "other"', says="", name="overridden-by-the-setting"),
    refused("primary_region", '"sjc"', '"lax"', says="region cannot change from sjc to lax"),
    refused("primary_region", '"sjc"', '"sjv"', says="set region to sjc again", name="mistyped"),
    refused("primary_region", 'primary_region = "sjc"', "", says="fly.toml:1: primary_region is missing"),
    line("kill_signal", '"SIGTERM"', '"SIGKILL"', *RESTART, says="config.stop_config.signal"),
    line("kill_signal", 'kill_signal = "SIGTERM"', "", *RESTART, says="config.stop_config.signal"),
    refused("kill_signal", '"SIGTERM"', '"TERM"', says="fly.toml:7: kill_signal must be one of", name="mistyped"),
    line("kill_timeout", '"45s"', '"1s"', *RESTART, says="config.stop_config.timeout"),
    line("kill_timeout", 'kill_timeout = "45s"', "", *RESTART, says="config.stop_config.timeout"),
    refused("kill_timeout", '"45s"', '"45m"', says="kill_timeout must be at most 300 s", name="too-long"),
    line("swap_size_mb", "[env]", "swap_size_mb = 512\n[env]", *RESTART, says="config.init", name="added"),
    line("console_command", "[env]", 'console_command = "node"\n[env]', says="", name="added"),
    line("misspelt", "[env]", "misspelt = 1\n[env]", says="misspelt is unknown to `fly deploy` too", name="added"),
    refused("app", 'app = "solos-prod"', "app = ", says="is not valid TOML", name="broken"),
    line("build.*", "[deploy]", '[build]\n  image = "solserver:9"\n[deploy]', says="", name="added"),
    refused(
        "processes*", "[deploy]", '[processes]\n  web = "x"\n[deploy]', says='needs processes = ["web"]', name="added"
    ),
)
ENV = (
    line("env.NODE_ENV", '"production"', '"development"', *RESTART, says="config.env.NODE_ENV"),
    refused("env.NODE_ENV", 'NODE_ENV = "production"', "", says="[env] NODE_ENV is missing"),
    refused("env.HOST", '"0.0.0.0"', '"127.0.0.1"', says="Fly's proxy does not connect over loopback"),
    line("env.HOST", '  HOST = "0.0.0.0"', "", *RESTART, says="config.env.HOST"),
    refused("env.PORT", 'PORT = "8080"', 'PORT = "9999"', says="the server listens on 9999"),
    refused("env.PORT", 'PORT = "8080"', "", says="[env] PORT is missing"),
    line("env.LOG_LEVEL", '"info"', '"debug"', *RESTART, says="config.env.LOG_LEVEL", tried=True),
    line("env.LOG_LEVEL", '  LOG_LEVEL = "info"', "", *RESTART, says="config.env.LOG_LEVEL"),
    refused(
        "env.DATABASE_PATH", "/data/solos.sqlite3", "/var/solos.sqlite3", says="not on the volume", name="moved-off"
    ),
    refused("env.DATABASE_PATH", "/data/solos", "/data/other", says="the rows would be missing", name="renamed"),
    refused("env.DATABASE_PATH", 'DATABASE_PATH = "/data/solos.sqlite3"', "", says="[env] DATABASE_PATH is missing"),
    refused("env.SESSION_SECRET", "[env]", '[env]\n  SESSION_SECRET = "x"', says="is a secret", name="added"),
    line("env.*", "[env]", "[env]\n  DEBUG = true", *RESTART, says="config.env.DEBUG", name="added"),
    refused("env", "[env]", "[envs]", says="envs is unknown", name="mistyped"),
)
MOUNTS = (
    refused("mounts.source", '"data"', '"other"', says="name cannot change from data to other"),
    refused("mounts.source", '  source = "data"', "", says="source is missing"),
    refused("mounts.destination", '"/data"', '"/elsewhere"', says="not on the volume at /elsewhere"),
    refused("mounts.destination", '  destination = "/data"', "", says="destination is missing"),
    refused(
        "mounts.initial_size", '"10gb"', '"5gb"', says="a Fly volume never shrinks; set it to 10 again", name="smaller"
    ),
    refused(
        "mounts.initial_size", '  initial_size = "10gb"', "", says="a Fly volume never shrinks; set it to 10 again"
    ),
    line(
        "mounts.initial_size", '"10gb"', '"20gb"', VOLUME, says="Fly may restart its machine", name="larger", tried=True
    ),
    line("mounts.snapshot_retention", "retention = 14", "retention = 1", VOLUME, says="snapshot_retention: 14 => 1"),
    line("mounts.snapshot_retention", "  snapshot_retention = 14", "", VOLUME, says="snapshot_retention: 14 => 5"),
    line("mounts.scheduled_snapshots", "ts = true", "ts = false", VOLUME, says="scheduled_snapshots: true => false"),
    line("mounts.scheduled_snapshots", "  scheduled_snapshots = true", "", says=""),
    refused("mounts.auto_extend_size_threshold", "threshold = 80", "threshold = 20", says="must be 50 to 99 percent"),
    refused("mounts.auto_extend_size_threshold", "  auto_extend_size_threshold = 80", "", says="to grow by itself"),
    line("mounts.auto_extend_size_increment", '"1GB"', '"2GB"', *RESTART, says="add_size_gb"),
    refused("mounts.auto_extend_size_increment", '  auto_extend_size_increment = "1GB"', "", says="to grow by itself"),
    line("mounts.auto_extend_size_limit", '"50GB"', '"60GB"', *RESTART, says="size_gb_limit"),
    line("mounts.auto_extend_size_limit", '  auto_extend_size_limit = "50GB"', "", *RESTART, says="size_gb_limit"),
    refused(
        "mounts.processes", 'source = "data"', 'source = "data"\n  processes = ["web"]', says="processes", name="added"
    ),
    refused(
        "mounts",
        "[[mounts]]",
        '[[mounts]]\nsource = "b"\ndestination = "/b"\n[[mounts]]',
        says="only one",
        name="second",
    ),
)
SERVICE = (
    refused("http_service.internal_port", "port = 8080", "port = 9999", says="but the server listens on 8080"),
    refused("http_service.internal_port", "  internal_port = 8080", "", says="internal_port is missing"),
    line("http_service.force_https", "https = true", "https = false", *RESTART, says="force_https"),
    line("http_service.force_https", "  force_https = true", "", *RESTART, says="force_https"),
    line("http_service.auto_stop_machines", '"off"', '"stop"', *RESTART, says="autostop"),
    line("http_service.auto_stop_machines", '  auto_stop_machines = "off"', "", says=""),
    line("http_service.auto_start_machines", "machines = true", "machines = false", *RESTART, says="autostart"),
    line("http_service.auto_start_machines", "  auto_start_machines = true", "", says=""),
    refused(
        "http_service.auto_start_machines",
        '  auto_stop_machines = "off"\n  auto_start_machines = true\n  min_machines_running = 1',
        '  auto_stop_machines = "stop"\n  auto_start_machines = false',
        says="nobody starts it again",
        name="never-started",
    ),
    line("http_service.min_machines_running", "running = 1", "running = 0", *RESTART, says="min_machines_running"),
    refused(
        "http_service.min_machines_running",
        "running = 1",
        "running = 2",
        says="the backend runs on one machine",
        name="more",
    ),
    line("http_service.concurrency.type", '"requests"', '"connections"', *RESTART, says="concurrency.type"),
    line("http_service.concurrency.soft_limit", "limit = 200", "limit = 1", *RESTART, says="concurrency.soft_limit"),
    line("http_service.concurrency.hard_limit", "limit = 250", "limit = 1", *RESTART, says="concurrency.hard_limit"),
    line("http_service.concurrency.hard_limit", "    hard_limit = 250", "", *RESTART, says="concurrency.hard_limit"),
    refused(
        "http_service.processes",
        "  force_https",
        '  processes = ["web"]\n  force_https',
        says="processes",
        name="added",
    ),
    line(
        "http_service.http_options*",
        "  [[http_service.checks]]",
        "  [http_service.http_options]\n  compress = true\n  [[http_service.checks]]",
        *RESTART,
        says="http_options",
        name="added",
    ),
    line(
        "http_service.tls_options*",
        "  [[http_service.checks]]",
        '  [http_service.tls_options]\n  versions = ["TLSv1.3"]\n  [[http_service.checks]]',
        *RESTART,
        says="tls_options",
        name="added",
    ),
    refused("http_service", "[http_service]", "[http_services]", says="http_services is unknown", name="mistyped"),
    line(
        "services*",
        "[metrics]",
        '[[services]]\n  internal_port = 8080\n  protocol = "tcp"\n[metrics]',
        *RESTART,
        says="config.services",
        name="added",
    ),
)
CHECKS = (
    line(
        "http_service.checks.method",
        '"GET"',
        '"POST"',
        *RESTART,
        says="checks[0].method",
        fails="Rolled back to the previous version",
        tried=True,
    ),
    line(
        "http_service.checks.path",
        '"/health"',
        '"/other"',
        *RESTART,
        "~ monitoring-prometheus",
        says="checks[0].path",
        fails="Rolled back to the previous version",
        tried=True,
    ),
    refused("http_service.checks.path", '    path = "/health"', "", says="there is no HTTP check with a path"),
    line("http_service.checks.interval", '"15s"', '"1s"', *RESTART, says="checks[0].interval"),
    line("http_service.checks.interval", '    interval = "15s"', "", *RESTART, says="checks[0].interval"),
    line("http_service.checks.timeout", 'timeout = "5s"', 'timeout = "9s"', *RESTART, says="checks[0].timeout"),
    line("http_service.checks.grace_period", '    grace_period = "20s"', "", *RESTART, says="checks[0].grace_period"),
    refused("http_service.checks.grace_period", '"20s"', '"20"', says="is not a duration", name="mistyped"),
    *(
        line(
            f"http_service.checks.{key}",
            "    grace_period",
            f"    {key} = {value}\n    grace_period",
            *RESTART,
            says="config.services[0].checks[0]",
            name="added",
        )
        for key, value in (
            ("headers", '{ X-Check = "fly" }'),
            ("protocol", '"https"'),
            ("tls_server_name", '"x.example"'),
            ("tls_skip_verify", "true"),
        )
    ),
    refused(
        "http_service.checks",
        "  [[http_service.checks]]",
        "  [[http_service.check]]",
        says="is unknown",
        name="mistyped",
    ),
    line(
        "checks*",
        "[metrics]",
        '[checks.alive]\n  type = "tcp"\n  port = 9999\n  interval = "15s"\n  timeout = "5s"\n[metrics]',
        *RESTART,
        says="config.checks",
        fails="Rolled back to the previous version",
        tried=True,
        name="added",
    ),
)
REST = (
    line("restart.policy", '"always"', '"never"', *RESTART, says="config.restart.policy"),
    refused(
        "restart.policy", '"always"', '"no"', says="policy must be one of always, on-failure, never", name="mistyped"
    ),
    line("restart.retries", "  retries = 10", "", *RESTART, says="config.restart.max_retries"),
    refused("restart.processes", "  retries = 10", '  processes = ["web"]', says="processes", name="added"),
    refused("restart", "[[restart]]", "[restart]", says="restart must be written [[restart]]", name="mistyped"),
    refused("deploy.strategy", '"rolling"', '"bluegreen"', says="starts a second machine beside the first"),
    line("deploy.strategy", '  strategy = "rolling"', "", says=""),
    line("deploy.wait_timeout", '"5m"', '"1s"', says=""),
    line("deploy.wait_timeout", '  wait_timeout = "5m"', "", says=""),
    line("deploy.max_unavailable", "  wait_timeout", "  max_unavailable = 1\n  wait_timeout", says="", name="added"),
    refused(
        "deploy.release_command",
        "  wait_timeout",
        '  release_command = "x"\n  wait_timeout',
        says="run that command when the server starts",
        name="added",
    ),
    refused("vm.size", '"shared-cpu-1x"', '"shared-cpu-9x"', says="is not a size", name="mistyped"),
    line("vm.size", '  size = "shared-cpu-1x"', "", says=""),
    line("vm.memory", '"512mb"', '"256mb"', *RESTART, says="config.guest.memory_mb", name="smaller", tried=True),
    line("vm.memory", '  memory = "512mb"', "", *RESTART, says="config.guest.memory_mb"),
    line(
        "vm.memory_mb", "  memory =", "  memory_mb = 1024\n  memory =", *RESTART, says="guest.memory_mb", name="added"
    ),
    line("vm.cpus", "  memory =", "  cpus = 2\n  memory =", *RESTART, says="config.guest.cpus", name="added"),
    refused("vm.cpu_kind", "  memory =", '  cpu_kind = "fast"\n  memory =', says="cpu_kind", name="added"),
    refused("vm.processes", "  memory =", '  processes = ["web"]\n  memory =', says="processes", name="added"),
    line("files.guest_path", '"/etc/litestream.yml"', '"/etc/other"', *RESTART, says="config.files"),
    refused("files.local_path", '"monitoring/litestream.yml"', '"nowhere"', says="nowhere cannot be read"),
    refused(
        "files.local_path", '  local_path = "monitoring/litestream.yml"', "", says="needs exactly one of local_path"
    ),
    *(
        refused(
            f"files.{key}",
            '  local_path = "monitoring/litestream.yml"',
            f'  local_path = "monitoring/litestream.yml"\n  {key} = {value}',
            says=says,
            name="added",
        )
        for key, value, says in (
            ("raw_value", '"x"', "needs exactly one of local_path"),
            ("secret_name", '"X"', "needs exactly one of local_path"),
            ("processes", '["web"]', "processes"),
        )
    ),
    line("metrics.port", "port = 9090", "port = 9091", *RESTART, says="config.metrics.port"),
    line("metrics.path", '  path = "/metrics"', "", *RESTART, says="config.metrics.path"),
    line(
        "metrics.https", "  port = 9090", "  port = 9090\n  https = true", *RESTART, says="metrics.https", name="added"
    ),
    refused(
        "metrics.processes", "  port = 9090", '  port = 9090\n  processes = ["web"]', says="processes", name="added"
    ),
)
OLD_NAMES = (
    line("metric", "[metrics]", "[[metric]]", says="", name="renamed"),
    line("compute", "[[vm]]", "[[compute]]", says="", name="renamed"),
    line("computes", "[[vm]]", "[[computes]]", says="", name="renamed"),
    line("mount", "[[mounts]]", "[[mount]]", says="", name="renamed"),
    line(
        "experimental.*",
        "[deploy]",
        '[experimental]\n  cmd = ["x"]\n[deploy]',
        *RESTART,
        says="config.init",
        name="added",
    ),
    line("deploy.release_command_*", "[deploy]", '[deploy]\n  release_command_timeout = "5m"', says="", name="added"),
    line(
        "statics*",
        "[deploy]",
        '[[statics]]\n  guest_path = "/x"\n  url_prefix = "/y"\n[deploy]',
        *RESTART,
        says="config.statics",
        name="added",
    ),
)
"""What flyctl reads under another name as well, and what it reads for old files."""
MISTAKES = (*OLD_NAMES, *TOP, *ENV, *MOUNTS, *SERVICE, *CHECKS, *REST)
