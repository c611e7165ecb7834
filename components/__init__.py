"""The component resources of the launch, one folder each, and the settings that they are declared from."""
