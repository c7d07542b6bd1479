"""RM-PKGMGR: nothing in the image installs operating-system packages."""

from __future__ import annotations

from compliance.model.evidence import Evidence
from compliance.model.outcome import Check, Outcome, Severity, Trait
from controls.detection import conclude, detect


def run(evidence: Evidence) -> Outcome:
    """Package managers by content, linked library, applet and name; never by their database."""
    return conclude(evidence, detect(evidence, "os-package-managers"))


CHECK = Check(
    id="RM-PKGMGR",
    title="No OS package manager",
    trait=Trait.REMOVED,
    severity=Severity.HIGH,
    rationale="A package manager lets an intruder, or an operator in a hurry, add software to a running container "
    "with the vendor's own tools; what runs then is no longer what was built, scanned and signed.",
    looks_at="Every regular file of the merged file tree: content markers of dpkg, apk, Nix, Flatpak, snapd and of "
    "scripts such as dnf, in what UPX packed too, programs that link to a package manager's library (libapt-pkg, "
    "librpm, libdnf, libzypp, libalpm …), applets of BusyBox, and the names of the others. A package database is "
    "needed for inventories and is not held against the image.",
    proves="A pass proves that every regular file was read and that none is a package manager known by content, "
    "library, applet or name. It does not prove that software can't be added by other means.",
    remediation="Remove the package manager in the build stage that makes the root filesystem, and keep its database "
    "for inventories; or build from a base that never had one.",
    run=run,
    references=("NIST SP 800-190, 4.1.2", "dpkg(1)", "rpm(8)"),
)
