"""Where packages keep files that none of their file lists names."""

from __future__ import annotations

import re

FOLDER_OWNERS = {
    "npm": "package.json",
    "gem": ".gemspec",
    "composer": "composer.json",
}
"""Packages that own the folder of the file that states them: purl type to the end of that file's name."""
MAINTAINER_SCRIPT = re.compile(
    r"var/lib/dpkg/info/([a-z0-9][a-z0-9+.-]*)(?::[a-z0-9-]+)?\.(?:(?:pre|post)(?:inst|rm)|config)"
)
"""Scripts that dpkg keeps of each package; no list of files names them."""

DATABASES = {
    "alpm": ("var/lib/pacman/local",),
    "apk": ("lib/apk/db", "usr/lib/apk/db"),
    "deb": ("var/lib/dpkg",),
    "rpm": ("usr/lib/sysimage/rpm", "var/lib/rpm"),
}
"""Folders of the package databases by purl type: what lies there changes with any package of that type."""
