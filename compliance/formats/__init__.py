"""Bytes to values and back, pure: no I/O. Every parser is bounded and raises FormatError only."""
