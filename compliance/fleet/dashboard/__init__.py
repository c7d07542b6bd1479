"""A small web dashboard over the stores of fleets: read-only, and shut to whoever has no business with it."""
