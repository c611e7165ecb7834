"""Fly's description of its Machines API, and where the live service differs, with the reason (infra-docs/vendors/fly.md)."""

NAME = "fly-machines.json"
DEVIATIONS = {
    r": HTTP 4\d\d is not described": "few refusals are described",
    r"DELETE /v1/apps/\{app_name\}: the parameter force": "documented elsewhere",
    r"/lease: the response: .*\('data', 'status' were unexpected\)": "leases come in an envelope",
    r"POST .*/lease: the parameter ttl": "as flyctl sends it, without a body",
    r"POST .*/lease: the request: None": "as flyctl sends it, without a body",
    r"DELETE .*/lease: the response 200 has a body": "the response has the envelope too",
    r"DELETE /v1/apps/\{app_name\}/machines/\{machine_id\}: the response 200 has a body": '{"ok": true}',
    r"/stop: the response 200 has a body": '{"ok": true}',
    r"/start: the response 200 has a body": "the previous state, which flyctl needs",
    r"\.autostop: (True|False) is not": "true and false instead of stop and off",
    r"\.http_options\.response\.headers\[": "any type, as in flyctl (map[string]any)",
    r"\.http_options\.response\.headers\[[^]]+\]: .* is not of type 'object'": "a header's value is a string, a list or false",
    r"/volumes.*: the response.*\.attached_\w+_id: None": "null when it is not attached; flyctl relies on it",
    r"/snapshots: the response 200 has a body": "JSON without the id of the snapshot",
    r"/ip_assignments: the response.*\('type' was unexpected\)": "undocumented",
    r"/ip_assignments: the response.*network: None": "only addresses of a private network have one",
    r"/secrets: the request\.values\.\w+: None": "null deletes a secret",
    r"/postgres.*: the response.*\.endpoints: None": "absent until the cluster is ready",
    r"/backups: the response.*\.(size_bytes|finished_at): None": "unknown while the backup runs",
    r"/postgres.*: the response.*\.status: '?error": "a final status that flyctl knows (launch_databases.go)",
}
