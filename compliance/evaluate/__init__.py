"""Checks to results, results to control statuses. Pure: checks and mappings come as arguments."""
