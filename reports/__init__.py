"""Renderers: one assessment document in, the bytes of one format out. Deterministic, without network."""
