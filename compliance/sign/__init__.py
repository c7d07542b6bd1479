"""The only writer of signatures."""
