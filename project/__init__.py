"""A Pulumi project on disk: `Pulumi.yaml`, the stack files, and the secrets in them.

    config     a stack's configuration, checked as the CLI checks it, with its secrets decrypted
    crypter    the CLI's passphrase encryption

Used by the tools and by the embedded engine. The program itself gets its configuration from the engine.
"""
