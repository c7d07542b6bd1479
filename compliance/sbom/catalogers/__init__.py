"""One module an ecosystem, each exporting CATALOGER. Catalogers do not import each other."""

from __future__ import annotations

from compliance.model.inventory import Cataloger
from compliance.sbom.catalogers import (
    alpm,
    apk,
    chisel,
    conda,
    dotnet,
    dpkg,
    elf_note,
    embedded_sbom,
    go,
    homebrew,
    java,
    nix,
    npm,
    php,
    portage,
    python,
    r,
    rpm,
    ruby,
    rust,
    snap,
    wordpress,
)

CATALOGERS: tuple[Cataloger, ...] = (
    dpkg.CATALOGER,
    apk.CATALOGER,
    rpm.CATALOGER,
    python.CATALOGER,
    npm.CATALOGER,
    go.CATALOGER,
    java.CATALOGER,
    alpm.CATALOGER,
    portage.CATALOGER,
    chisel.CATALOGER,
    elf_note.CATALOGER,
    snap.CATALOGER,
    nix.CATALOGER,
    homebrew.CATALOGER,
    conda.CATALOGER,
    rust.CATALOGER,
    ruby.CATALOGER,
    php.CATALOGER,
    dotnet.CATALOGER,
    r.CATALOGER,
    wordpress.CATALOGER,
    embedded_sbom.CATALOGER,
)
"""Every cataloger: those of operating systems first, as they own the files of others."""
