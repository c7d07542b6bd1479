"""The command line: one thin file a subcommand, nothing decided here that a library user would miss."""
