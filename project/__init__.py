"""A Pulumi project on disk: `Pulumi.yaml`, the stack files, the secrets in them, and where the state is.

    files      reads and writes the YAML files
    config     a stack's configuration, checked as the CLI checks it, with its secrets decrypted
    crypter    the CLI's passphrase encryption
    state      the files of the file backend

Used by the tools and by the embedded engine. The program itself gets its configuration from the engine.
"""
