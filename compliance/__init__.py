"""Hullmark's engine: from an image reference to an assessment whose every sentence has evidence."""
