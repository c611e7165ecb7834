"""A small Pulumi engine for rehearsals and tests on machines without the Pulumi CLI.

It implements Pulumi's protocols: the program runs against its resource monitor, the provider process of the SDK serves dynamic
resources, and the state has the CLI's format and location, so either engine can continue where the other stopped.

    local_stack  the configuration of a stack, whose endpoints must be on this machine
    stack_file   changes to a stack file: `pulumi config`, `pulumi stack init`
    values       property values: secrets, unknowns, protobuf
    snapshot     the resources in the state, in dependency order
    backend      the snapshot as a file, and its lock
    protocol     Pulumi's messages and gRPC stubs
    plugins      serve resources: the dynamic provider process, command, random
    deployment   decides and executes the step of each resource
    monitor      the gRPC services for the program
    operations   preview, up, refresh, destroy
    display      the output

It does not replace the CLI: it refuses other plugins, other backends, and endpoints that are not on this machine.
"""
