"""Terraform providers that a .terraform.lock.hcl selects."""

from __future__ import annotations

import re
from collections.abc import Iterator

from compliance.formats.plain_text import decode
from compliance.formats.stated_package import StatedPackage
from compliance.model.request import ContentRequest
from compliance.sbom.stated import StatingFiles

_PROVIDER = re.compile(r'^provider\s+"([^"]{1,512})"\s*\{', re.MULTILINE)
_VERSION = re.compile(r'^[ \t]*version[ \t]*=[ \t]*"([^"]{1,256})"', re.MULTILINE)


def read_terraform_lock(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """Every ``provider`` block: HOST/NAMESPACE/TYPE and the selected version."""
    pieces = _PROVIDER.split(decode(content))
    for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
        version = _VERSION.search(body)
        yield StatedPackage(name=name, version=version[1] if version else "")


CATALOGER = StatingFiles(
    id="terraform",
    type_="terraform",
    readers=((ContentRequest(name="terraform-lock", globs=("**/.terraform.lock.hcl",)), read_terraform_lock),),
)
