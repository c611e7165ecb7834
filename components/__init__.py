"""What the launch is made of, as Pulumi components. No HTTP in here."""
