"""A small Pulumi engine, for rehearsals and tests on machines without the Pulumi CLI.

It speaks Pulumi's own protocols: the program runs against its resource monitor, dynamic resources are served by the SDK's own
provider process, and the state is kept where and as the CLI keeps it, so that either can go on where the other stopped.

    values       property values: secrets, unknowns, protobuf
    crypter      secrets in state and configuration, as the CLI's passphrase provider encrypts them
    project      Pulumi.yaml and Pulumi.<stack>.yaml as checked configuration
    snapshot     what exists: entries in dependency order
    backend      the snapshot as a file, and its lock
    plugins      who serves a resource: the dynamic provider process, command, random
    deployment   one resource: what to do about it, and doing it
    monitor      what the program sees
    operations   preview, up, refresh, destroy
    display      what a person sees

It is no replacement for the CLI: it refuses other plugins, other backends, and any endpoint that is not on this machine.
"""
