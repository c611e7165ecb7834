"""The checklist of a stack in the terminal: what the state proves, with the sign-offs, waivers and declaration of the settings."""
