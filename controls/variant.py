"""What the image says it is for: runtime, dev or sdk, read from its labels and its tag.

All of it are unsigned claims of the image. Nothing claimed, or a word not known here, is a runtime image: the
strictest. Names and tag grammar of Docker Hardened Images as seen in their public definitions.
"""

from __future__ import annotations

import re

from compliance.model.evidence import Profile, ProfileSource, Variant
from compliance.model.image import Image

VARIANT_LABEL = "org.hullmark.image.variant"
DHI = "com.docker.dhi."

_VARIANTS = {"runtime": Variant.RUNTIME, "dev": Variant.DEV, "sdk": Variant.SDK}


def claims(image: Image) -> dict[str, str]:
    """Labels of the config and annotations of the manifest; where both have a key, the label."""
    labels = image.config.labels if image.config is not None else {}
    return {**image.annotations, **labels}


def declared_profile(image: Image) -> Profile:
    """The variant by label, else by tag, else runtime.

    An sdk image of Docker's carries the label variant=runtime and runs as root, so its version and definition
    are asked before that label; and its policy looks for ``-sdk-`` only, missing a tag that ends in ``-sdk``.
    """
    labels = claims(image)
    own = _VARIANTS.get(labels.get(VARIANT_LABEL, ""))
    if own is not None:
        return _by_label(own, VARIANT_LABEL, labels)
    for key in (f"{DHI}version", f"{DHI}definition"):
        if _suffixed(labels.get(key, ""), "sdk"):
            return _by_label(Variant.SDK, key, labels)
    stated = _VARIANTS.get(labels.get(f"{DHI}variant", ""))
    if stated is not None:
        return _by_label(stated, f"{DHI}variant", labels)
    tag = image.tag or image.reference.tag or ""
    for variant in (Variant.SDK, Variant.DEV):
        if _suffixed(tag, variant.value):
            return Profile(variant=variant, source=ProfileSource.TAG, declared=f"tag {tag}")
    return Profile(variant=Variant.RUNTIME, source=ProfileSource.DEFAULT)


def _by_label(variant: Variant, key: str, labels: dict[str, str]) -> Profile:
    return Profile(variant=variant, source=ProfileSource.LABEL, declared=f"label {key}={labels[key]}")


def _suffixed(text: str, word: str) -> bool:
    """``9-sdk-debian13`` and ``9-sdk`` for sdk; ``3.13-debian13-dev`` and ``3.13-dev-fips`` for dev; never ``dev``."""
    after = "(?:-|$)" if word == "sdk" else r"(?:-fips)?$"
    return re.search(f"[^-/]-{word}{after}", text) is not None
