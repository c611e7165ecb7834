"""A tool that writes an import file for a backend that was created by hand. It changes nothing."""
