"""The control library as OSCAL has it, whatever image is assessed: which checks there are, and on what they bear.

Checks and the controls of frameworks whose publisher has no catalog stand in catalogs of our own, embedded in the
document that refers to them, so that no reference in it leads nowhere.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field

from reports import findings, wording
from reports.document import Check, Control, Document, Framework, MappedCheck
from reports.oscal_form import (
    Json,
    baselines,
    catalog_resource,
    catalogued,
    content_uuid,
    library_uuid,
    line,
    markdown,
    props,
    token,
    written,
)

CATALOG_TYPE = "application/oscal.catalog+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedControl:
    """A control with the token that stands for it, and those of its mapped checks that are in the library."""

    control: Control
    token: str
    mapped: tuple[MappedCheck, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedFramework:
    """A framework as far as checks bear on it. `resource` is the back-matter resource that is its catalog."""

    framework: Framework
    controls: tuple[MappedControl, ...]
    resource: Json = field(repr=False)

    @property
    def href(self) -> str:
        """The reference to its catalog."""
        return f"#{self.resource['uuid']}"


def frameworks(document: Document, version: str) -> list[MappedFramework]:
    """The frameworks of `document` on which checks of it bear, with a catalog of OSCAL `version` each."""
    return [found for framework in document["frameworks"] if (found := _mapped(framework, document, version))]


def checks_resource(document: Document, version: str) -> Json:
    """The checks as a catalog: one control for each, in a group for each trait."""
    groups = [
        {
            "id": trait,
            "title": wording.TRAITS[trait],
            "controls": [_check_control(check) for check in findings.of_trait(document, trait)],
        }
        for trait in findings.TRAITS
        if findings.of_trait(document, trait)
    ]
    described = "What each check tests, and what a pass proves."
    return _embedded("checks", "Hullmark's checks", described, {"groups": groups}, document, version)


def library_metadata(document: Document, title: str, version: str) -> Json:
    """The metadata of a document about the library."""
    tool = document["tool"]
    return {
        "title": line(title),
        "last-modified": document["finishedAt"],
        "version": tool["version"].strip() or "unknown",
        "oscal-version": version,
        "props": props(controls_digest=tool["controlsDigest"]),
    }


def _mapped(framework: Framework, document: Document, version: str) -> MappedFramework | None:
    have = {check["id"] for check in document["checks"]}
    controls = findings.of_framework(document, framework["id"])
    used: set[str] = set()
    mapped = []
    for control in controls:
        checks = tuple(item for item in control["mapping"] if item["check"] in have)
        if checks:
            mapped.append(MappedControl(control=control, token=_unused(control, framework, used), mapped=checks))
    if not mapped:
        return None
    pinned = {control["id"] for control in catalogued(document) if control["framework"] == framework["id"]}
    if all(item.control["id"] in pinned for item in mapped):
        resource = catalog_resource(library_uuid("resource", "catalog"))
    else:
        resource = _framework_resource(framework, mapped, document, version)
    return MappedFramework(framework=framework, controls=tuple(mapped), resource=resource)


def _unused(control: Control, framework: Framework, used: set[str]) -> str:
    """The token for a control; two ids that differ only in what tokens can't have get different ones."""
    plain = name = token(control["id"], framework["id"])
    number = 1
    while name in used:
        number += 1
        name = f"{plain}-{number}"
    used.add(name)
    return name


def _check_control(check: Check) -> Json:
    name = token(check["id"], "check")
    statement = f"{check['looksAt']} {check['proves']}".strip() or check["title"]
    parts: list[Json] = [{"id": f"{name}_smt", "name": "statement", "prose": markdown(statement)}]
    if check["rationale"]:
        parts.append({"id": f"{name}_gdn", "name": "guidance", "prose": markdown(check["rationale"])})
    return {
        "id": name,
        "title": line(check["title"]),
        "props": [{"name": "label", "value": check["id"]}, *props(severity=check["ownSeverity"])],
        "parts": parts,
    }


def _framework_resource(framework: Framework, mapped: list[MappedControl], document: Document, version: str) -> Json:
    """A catalog of ids and titles: there is no other that the references could lead to."""
    described = (
        f"The controls of {framework['name']} {framework['version']} on which checks bear, and no others. "
        "It is not the publisher's: where its words are licensed, titles are short paraphrases. "
        f"Source: {framework['source']}."
    )
    body: Json = {"controls": list(_framework_controls(mapped))}
    return _embedded(framework["id"], framework["name"], described, body, document, version)


def _framework_controls(mapped: list[MappedControl]) -> Iterator[Json]:
    for item in mapped:
        control = item.control
        yield {
            "id": item.token,
            "title": line(control["title"]),
            "props": [
                {"name": "label", "value": line(control["label"])},
                *props(
                    title=None if control["verbatim"] else "paraphrased",
                    confirmed=None if control["confirmed"] else "no",
                    source=control["source"],
                    baselines=baselines(control),
                ),
            ],
        }


def _embedded(name: str, title: str, described: str, body: Json, document: Document, version: str) -> Json:
    """A back-matter resource that holds a catalog of `body`."""
    catalog: Json = {
        "catalog": {
            "uuid": content_uuid("catalog", body),
            "metadata": library_metadata(document, title, version),
            **body,
        }
    }
    return {
        "uuid": library_uuid("resource", name),
        "title": line(title),
        "description": markdown(described),
        "base64": {
            "filename": f"{token(name, 'catalog')}-catalog.json",
            "media-type": CATALOG_TYPE,
            "value": base64.b64encode(written(catalog)).decode(),
        },
    }
