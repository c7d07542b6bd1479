"""How many cases the properties are tried on: 100, or as many as HULLMARK_CASES says (10000 before a release)."""

import os

from hypothesis import settings

settings.register_profile(
    "cases", settings.get_profile("untimed"), max_examples=int(os.environ.get("HULLMARK_CASES", "100"))
)
settings.load_profile("cases")
