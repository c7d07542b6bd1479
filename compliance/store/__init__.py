"""What is kept: evidence bundles on disk."""
