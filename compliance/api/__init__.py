"""Hullmark as a library: what `from compliance import …` gives, for notebooks and programs.

Nothing here decides anything: it reads what the user names, calls the pipeline, and shows what came of it.
"""
