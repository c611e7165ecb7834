"""Stand-ins for what a launch brings along: a solserver, an IPA."""
