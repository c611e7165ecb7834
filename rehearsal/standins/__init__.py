"""Stand-ins for what a launch deploys: the solserver backend and an IPA."""
