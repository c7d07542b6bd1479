"""The control library: checks, what they know, and the controls they bear on. Mostly data an auditor can read."""
