"""Fly's own description of its Machines API, and what the wire does otherwise: each with the section of fly.md that says so."""

NAME = "fly-machines.json"
DEVIATIONS = {
    r": HTTP 4\d\d is not described": "few refusals are described (3.1)",
    r"DELETE /v1/apps/\{app_name\}: the parameter force": "documented elsewhere (3.3)",
    r"/lease: the answer: .*\('data', 'status' were unexpected\)": "leases come in an envelope (3.3)",
    r"POST .*/lease: the parameter ttl": "as flyctl sends it, without a body (3.3)",
    r"POST .*/lease: the request: None": "as flyctl sends it, without a body (3.3)",
    r"DELETE .*/lease: the answer 200 has a body": "the envelope again (3.3)",
    r"DELETE /v1/apps/\{app_name\}/machines/\{machine_id\}: the answer 200 has a body": '{"ok": true} (3.3)',
    r"/stop: the answer 200 has a body": '{"ok": true} (6.3)',
    r"/start: the answer 200 has a body": "the state of before, without which flyctl fails (3.3)",
    r"\.autostop: (True|False) is not": "true and false, in the place of stop and off (3.3)",
    r"\.http_options\.response\.headers\[": "of any kind, as flyctl has them (map[string]any)",
    r"\.http_options\.response\.headers\[[^]]+\]: .* is not of type 'object'": "a header's value is a text, a list or false (6.9)",
    r"/volumes.*: the answer.*\.attached_\w+_id: None": "null when it is free, on which flyctl relies (7)",
    r"/snapshots: the answer 200 has a body": "JSON without the id of the snapshot (7)",
    r"/ip_assignments: the answer.*\('type' was unexpected\)": "undocumented (3.3)",
    r"/ip_assignments: the answer.*network: None": "only addresses of a private network have one (9)",
    r"/secrets: the request\.values\.\w+: None": "null takes a secret away (8.1)",
    r"/postgres.*: the answer.*\.endpoints: None": "there are none before the cluster is ready (11)",
    r"/backups: the answer.*\.(size_bytes|finished_at): None": "unknown as long as the backup runs (11)",
}
