"""One package as a lock file, a manifest or a package's own description states it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedPackage:
    """The identity a file states, with what it adds.

    `name` is the ecosystem's full name (``@scope/x``); `namespace` and `purl_name` are given where the purl splits
    it otherwise than at its last slash. `digests` are (algorithm, hex) of the distributed archive. `depends` are
    names, or ``name@version`` where the file resolves them. `inferred` says what of the identity is not stated.
    """

    name: str
    version: str
    namespace: str | None = None
    purl_name: str | None = None
    qualifiers: tuple[tuple[str, str], ...] = ()
    subpath: str | None = None
    licenses: tuple[str, ...] = ()
    supplier: str | None = None
    homepage: str | None = None
    digests: tuple[tuple[str, str], ...] = ()
    depends: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    confidence: float = 1.0
    inferred: str | None = None
