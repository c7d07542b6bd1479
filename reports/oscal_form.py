"""What every OSCAL document of ours has in common: versions, identifiers, text, and the resources referred to."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import cast

from compliance.errors import UsageError
from reports import assessment_json
from reports.document import Control, Document

VERSIONS = ("1.1.3", "1.2.1", "1.2.2")
"""The versions whose schemas the output was validated against."""

DEFAULT_VERSION = VERSIONS[0]
"""Tools of the FedRAMP era read no newer one."""
NAMESPACE = "urn:uuid:1f0f2f3c-6f3b-5d0a-9c55-4f3f9d1f7a52"
"""Of our own properties. A made-up name that nobody else will use; it resolves to nothing."""

_UUID_SPACE = uuid.UUID("1f0f2f3c-6f3b-5d0a-9c55-4f3f9d1f7a52")
_MARKUP = re.compile(r"[\\`*_\[\]<>^~{}$]")
_TOKEN = re.compile(r"[^\W\d][\w.\-]*")
_NO_TOKEN = re.compile(r"[^\w.\-]+")

Json = dict[str, object]


class Names:
    """Stable UUIDs, version 5, over the image digest and what is named: the same for the same image in every run."""

    def __init__(self, document: Document) -> None:
        self._digest = document["subject"]["digest"]
        self._content = assessment_json.render(document)

    def of(self, kind: str, *parts: str) -> str:
        """The UUID of a thing about this image."""
        return _uuid(self._digest, kind, *parts)

    def of_document(self, kind: str, version: str) -> str:
        """Changes with the content, as OSCAL wants of a document's UUID."""
        return self.of(kind, version, self.content_sha256())

    def content_sha256(self) -> str:
        """Of assessment.json, in hex."""
        return hashlib.sha256(self._content).hexdigest()


def library_uuid(kind: str, *parts: str) -> str:
    """The UUID of a thing of the control library: the same whatever image is assessed."""
    return _uuid("library", kind, *parts)


def content_uuid(kind: str, content: Json) -> str:
    """The UUID of a document about no image; changes with what it says."""
    return library_uuid(kind, hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest())


def _uuid(*parts: str) -> str:
    return str(uuid.uuid5(_UUID_SPACE, "\n".join(parts)))


def demand_version(version: str, known: tuple[str, ...] = VERSIONS) -> None:
    """Raise UsageError for a version that is not among those `known`."""
    if version not in known:
        raise UsageError(
            f"no OSCAL version {version!r}", code="oscal-version", hint=f"choose one of {', '.join(known)}"
        )


def written(value: Json) -> bytes:
    """The document as JSON."""
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()


def props(**facts: str | None) -> list[Json]:
    """Properties of ours; facts that are not there, or blank, are left out, as OSCAL forbids empty values."""
    return [
        {"name": name.replace("_", "-"), "ns": NAMESPACE, "value": value.strip()}
        for name, value in facts.items()
        if value is not None and value.strip()
    ]


def line(text: str) -> str:
    """A title: one line without blanks at its ends, never empty."""
    return markdown(text) or "unnamed"


def markdown(text: str) -> str:
    """`text` so that it has no markup: these fields are Markdown to whoever shows them."""
    return _MARKUP.sub(lambda match: f"\\{match.group()}", " ".join(text.split()))


def token(text: str, before: str) -> str:
    """`text` as an OSCAL token; where it is none, it begins with `before` and other characters are dashes."""
    if _TOKEN.fullmatch(text):
        return text
    return f"{before}-{_NO_TOKEN.sub('-', text).strip('-')}"


def metadata(document: Document, title: str, version: str) -> Json:
    """The metadata of a document about the image."""
    subject = document["subject"]
    return {
        "title": line(f"{title} of container image {subject['reference']}"),
        "last-modified": document["finishedAt"],
        "version": document["effectiveTime"],
        "oscal-version": version,
        "props": props(image_digest=subject["digest"], platform=subject["platform"]),
    }


def image_component(document: Document, names: Names) -> Json:
    """The image, as a component."""
    subject = document["subject"]
    standard = {"asset-id": subject["digest"], "version": subject["tag"]}
    return {
        "uuid": names.of("component", "image"),
        "type": "software",
        "title": line(subject["reference"]),
        "description": f"The container image with digest {subject['digest']}.",
        "props": [
            *({"name": name, "value": value.strip()} for name, value in standard.items() if value and value.strip()),
            *props(
                media_type=subject["mediaType"], platform=subject["platform"], config_digest=subject["configDigest"]
            ),
        ],
        "status": {"state": "operational"},
    }


def assets(document: Document, names: Names) -> Json:
    """The tool, as what the assessment was made with."""
    tool = document["tool"]
    component = names.of("component", "tool")
    return {
        "components": [
            {
                "uuid": component,
                "type": "software",
                "title": line(tool["name"]),
                "description": "Reads the image's own bytes, lists packages, verifies signatures, runs the checks.",
                "props": [
                    {"name": "version", "value": tool["version"].strip() or "unknown"},
                    *props(controls_digest=tool["controlsDigest"]),
                ],
                "status": {"state": "operational"},
            }
        ],
        "assessment-platforms": [
            {
                "uuid": names.of("platform", "tool"),
                "title": line(f"{tool['name']} {tool['version']}"),
                "uses-components": [{"component-uuid": component}],
            }
        ],
    }


def subject(names: Names) -> Json:
    """The image, as what an observation is about."""
    return {"subject-uuid": names.of("component", "image"), "type": "component"}


def origin(names: Names) -> Json:
    """The tool, as where an observation comes from."""
    return {"actors": [{"type": "tool", "actor-uuid": names.of("component", "tool")}]}


def assessment_resource(names: Names) -> Json:
    """assessment.json, which holds every observation, by its digest."""
    return {
        "uuid": names.of("resource", "assessment"),
        "title": "The assessment document",
        "description": "Every observation with its path, layer, package and digest.",
        "rlinks": [
            {
                "href": "../assessment.json",
                "media-type": "application/json",
                "hashes": [{"algorithm": "SHA-256", "value": names.content_sha256()}],
            }
        ],
    }


def no_ssp_resource(identifier: str) -> Json:
    """There is no system security plan for an image outside any system, yet the format demands one."""
    return {
        "uuid": identifier,
        "title": "No system security plan",
        "description": "The image was assessed by itself, outside any system, so there is no system security plan.",
    }


def catalog_resource(identifier: str) -> Json:
    """NIST's catalog of SP 800-53."""
    return {
        "uuid": identifier,
        "title": "NIST SP 800-53 Rev. 5 catalog",
        "description": "The catalog whose control, statement and objective ids are used here.",
        "rlinks": [{"href": cast(str, _catalog()["catalog"]), "media-type": "application/oscal.catalog+json"}],
    }


@cache
def _catalog() -> Mapping[str, object]:
    return cast(
        Mapping[str, object], json.loads((resources.files("reports") / "data" / "sp800-53-targets.json").read_bytes())
    )


def targets() -> Mapping[str, str]:
    """The objective, else the statement, that stands for each control of SP 800-53 as a whole."""
    return cast(Mapping[str, str], _catalog()["targets"])


def catalogued(document: Document) -> list[Control]:
    """The controls of SP 800-53 that the pinned catalog has; other frameworks have no baselines and no OSCAL id."""
    known = targets()
    return [control for control in document["controls"] if control["baselines"] is not None and control["id"] in known]


def baselines(control: Control) -> str | None:
    """The SP 800-53B baselines that a control is in: in none it is assessed only where somebody tailors it in."""
    return None if control["baselines"] is None else " ".join(control["baselines"]) or "none"


def caveats(document: Document) -> str | None:
    """What a reader must be told about the frameworks, as one text; None where there is nothing."""
    told = [
        f"{markdown(framework['name'])}: {' '.join(markdown(caveat) for caveat in framework['caveats'])}"
        for framework in document["frameworks"]
        if framework["caveats"]
    ]
    return "\n\n".join(told) or None
