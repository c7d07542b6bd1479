"""GitHub actions and reusable workflows that a workflow in the image uses: declared, nothing of them is there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from compliance.formats.plain_text import decode
from compliance.formats.stated_package import StatedPackage
from compliance.model.request import ContentRequest
from compliance.sbom.stated import StatingFiles

_USES = re.compile(
    r"""^[ \t]*(?:-[ \t]+)?uses:[ \t]*["']?"""
    r"([\w.-]{1,100})/([\w.-]{1,100})((?:/[\w.-]{1,100}){0,16})@([\w./-]{1,256})",
    re.MULTILINE,
)


def read_workflow(content: bytes, path: str = "") -> Iterator[StatedPackage]:
    """``uses: OWNER/REPOSITORY[/PATH]@REF``; local ones (``./``) and images (``docker://``) are none."""
    for owner, repository, inside, reference in _USES.findall(decode(content)):
        yield StatedPackage(
            name=f"{owner}/{repository}{inside}",
            version=reference,
            namespace=owner,
            purl_name=repository,
            subpath=inside.strip("/") or None,
        )


CATALOGER = StatingFiles(
    id="github-actions",
    type_="github",
    readers=(
        (
            ContentRequest(
                name="github-workflow",
                globs=tuple(
                    f"**/.github/{place}.{suffix}"
                    for place in ("workflows/*", "actions/*/action")
                    for suffix in ("yml", "yaml")
                ),
                max_size=2**20,
            ),
            read_workflow,
        ),
    ),
)
