"""Keys of fly.toml that flyctl knows and that are not read here, each with the reason."""

REFUSED = {
    "machine_config": "this file is the machine definition: leave it out",
    "experimental.machine_config": "this file is the machine definition: leave it out",
    "build.compose": "one container per machine is supported: leave it out",
    "container": "one container per machine is supported: leave it out",
    "host_dedication_id": "dedicated hosts are not supported: leave it out",
    "vm.gpu_kind": "GPUs are not supported",
    "vm.gpus": "GPUs are not supported",
    "vm.host_dedication_id": "dedicated hosts are not supported: leave it out",
    "vm.kernel_args": "the kernel is Fly's: leave it out",
    "vm.max_memory_mb": "memory is fixed: leave it out",
    "vm.persist_rootfs": "each version has its own root file system: keep data on the volume",
}
"""Keys that flyctl knows and that cannot work here, with the reason."""

BUILD = "is for `fly deploy`: here the stack's `image` names the image, and `imageBuild` can build it"
NOT_RUN = "is run by `fly deploy` only: here the health checks and the public address decide"
UNUSED = {
    "machine_checks": NOT_RUN,
    "http_service.machine_checks": NOT_RUN,
    "services.machine_checks": NOT_RUN,
    "deploy.seed_command": "is run by `fly launch` only: seed the database when the server starts, or by hand",
    "checks.*.kind": "is not read by `fly deploy` either; the checks of services decide about routing",
    "*.restart_limit": "has had no effect since Fly runs machines",
    "*.script_checks": "has had no effect since Fly runs machines",
    "*.max_machines_running": "has no effect: `fly deploy` drops it too",
    "experimental.*": "has no effect on a machine",
}
"""Keys that a machine does not need, or that flyctl drops, with the reason."""
