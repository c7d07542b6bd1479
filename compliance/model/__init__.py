"""Frozen values that stages hand to each other. Standard library only: no I/O, no clock."""
