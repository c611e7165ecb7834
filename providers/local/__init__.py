"""What is on the machine that runs the program."""
