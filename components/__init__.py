"""The components of the launch: a folder each, and the settings that they are declared from."""
