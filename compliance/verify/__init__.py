"""Signatures and attestations of an image: bytes, a trusted root and a demand in, a Verification out. Offline."""
