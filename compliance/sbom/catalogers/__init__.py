"""One module an ecosystem, each exporting CATALOGER. Catalogers do not import each other."""

from __future__ import annotations

from compliance.model.inventory import Cataloger
from compliance.sbom.catalogers import apk, dpkg, go, java, npm, python, rpm

CATALOGERS: tuple[Cataloger, ...] = (
    dpkg.CATALOGER,
    apk.CATALOGER,
    rpm.CATALOGER,
    python.CATALOGER,
    npm.CATALOGER,
    go.CATALOGER,
    java.CATALOGER,
)
"""Every cataloger: those of operating systems first, as they own the files of others."""
