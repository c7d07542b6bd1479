"""The fleet report as OSCAL assessment results: a result for each run, an inventory item for each image.

The reported run has everything; earlier runs have their counts, as their own reports have the rest. Every check is an
observation about the images it did not pass in, every check that failed a risk, and a finding is written only where a
failure is a counter-example to a control of SP 800-53: so only ever as not-satisfied.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping

from reports import fleet_document, wording
from reports import fleet_wording as words
from reports.fleet_document import FleetCheck, FleetControl, FleetDocument, FleetImage, TrendRun
from reports.oscal_form import (
    DEFAULT_VERSION,
    Json,
    catalog_resource,
    demand_version,
    line,
    markdown,
    no_ssp_resource,
    props,
    targets,
    written,
)

_SPACE = uuid.UUID("7d1b6c0e-5a7e-5c56-9b9e-2f0d4b7b6a11")
_OSCAL = "http://csrc.nist.gov/ns/oscal"
_COUNTER_EXAMPLE = ("satisfies", "partially supports")
"""Relations by which what the check tests lies within the control, so that its failure is the control's."""
_NAMED_MAX = 200
"""Images of one observation that are named; all are in fleet.json."""
_REFERENCES_MAX = 50


class _Names:
    """Stable UUIDs, version 5, over the fleet and what is named."""

    def __init__(self, document: FleetDocument) -> None:
        self._fleet = document["fleet"]
        self.content = fleet_document.render(document)

    def of(self, kind: str, *parts: str) -> str:
        """The UUID of a thing of this fleet."""
        return str(uuid.uuid5(_SPACE, "\n".join((self._fleet, kind, *parts))))


def render(document: FleetDocument, version: str = DEFAULT_VERSION) -> bytes:
    """The assessment results as JSON. Raises UsageError for an unknown version."""
    demand_version(version)
    names = _Names(document)
    digest = hashlib.sha256(names.content).hexdigest()
    return written(
        {
            "assessment-results": {
                "uuid": names.of("assessment-results", version, digest),
                "metadata": {
                    "title": line(f"Assessment results of the container fleet {document['fleet']}"),
                    "last-modified": document["run"]["finished"] or document["run"]["started"],
                    "version": f"run {document['run']['number']}",
                    "oscal-version": version,
                    "props": props(chain=document["run"]["chain"], store=document["store"]["digest"]),
                },
                "import-ap": {"href": f"#{names.of('resource', 'plan')}"},
                "results": [
                    _result(document, names),
                    *(_past(run, document, names) for run in reversed(document["trend"][:-1])),
                ],
                "back-matter": {
                    "resources": [
                        _document_resource(names, digest),
                        _plan_resource(names),
                        no_ssp_resource(names.of("resource", "no-ssp")),
                        catalog_resource(names.of("resource", "catalog")),
                    ]
                },
            }
        }
    )


def _result(document: FleetDocument, names: _Names) -> Json:
    run = document["run"]
    failing = [check for check in document["checks"] if check["counts"]["failed"] or check["counts"]["waived"]]
    result: Json = {
        "uuid": names.of("result", str(run["number"])),
        "title": line(f"Run {run['number']}: {words.headline(document)}"),
        "description": markdown(
            f"{words.coverage_sentence(document['total']['coverage'])} "
            f"{words.failures_sentence(document['total'])} {words.NOT_A_VERDICT}"
        ),
        "start": run["started"],
        "end": run["finished"] or run["started"],
        "props": props(
            run=str(run["number"]),
            chain=run["chain"],
            population=run["population"],
            **{word.replace("-", "_"): str(number) for word, number in document["total"]["outcomes"].items()},
        ),
        "local-definitions": {
            "components": [_fleet_component(document, names)],
            "assessment-assets": _assets(document, names),
        },
        "reviewed-controls": _reviewed(document),
    }
    items = [_item(image, names) for image in document["images"]]
    if items:
        local = result["local-definitions"]
        assert isinstance(local, dict)  # noqa: S101 - made above
        local["inventory-items"] = items
    if document["checks"]:
        behind = _behind(document)
        result["observations"] = [
            _observation(check, behind.get(check["id"], ()), document, names) for check in document["checks"]
        ]
    if failing:
        result["risks"] = [_risk(check, document, names) for check in failing]
    if found := list(_findings(document, names)):
        result["findings"] = found
    return result


def _past(run: TrendRun, document: FleetDocument, names: _Names) -> Json:
    number = str(run["number"])
    collected = run["finished"] or run["started"]
    told = ", ".join(f"{run['outcomes'][word]:,} {words.OUTCOMES[word]}" for word in words.SHOWN_OUTCOMES)
    result: Json = {
        "uuid": names.of("result", number),
        "title": line(f"Run {number}: {told}"),
        "description": markdown(f"{words.coverage_sentence(run['coverage'])} The report of this run has its images."),
        "start": run["started"],
        "end": collected,
        "props": props(
            run=number,
            chain=run["chain"],
            new=str(run["new"]),
            fixed=str(run["fixed"]),
            **{word.replace("-", "_"): str(count) for word, count in run["outcomes"].items()},
        ),
        "reviewed-controls": _reviewed(document),
    }
    if run["checks"]:
        result["observations"] = [
            {
                "uuid": names.of("observation", number, check["id"]),
                "title": line(check["id"]),
                "description": f"Failed in {check['failed']} images, waived in {check['waived']}, undetermined in "
                f"{check['undetermined']}, passed in {check['passed']}.",
                "props": props(check_id=check["id"], failed=str(check["failed"]), waived=str(check["waived"])),
                "methods": ["EXAMINE"],
                "types": ["historic"],
                "collected": collected,
            }
            for check in run["checks"]
        ]
    return result


def _behind(document: FleetDocument) -> Mapping[str, list[tuple[FleetImage, str]]]:
    """Of each check, the images that it failed in or could not be determined for, with the word for it."""
    found: dict[str, list[tuple[FleetImage, str]]] = {}
    for image in document["images"]:
        for failed in image["failed"]:
            found.setdefault(failed["check"], []).append((image, "waived" if failed["waiver"] else "failed"))
        for check in image["undetermined"]:
            found.setdefault(check, []).append((image, "undetermined"))
    return found


def _observation(
    check: FleetCheck, images: list[tuple[FleetImage, str]] | tuple[()], document: FleetDocument, names: _Names
) -> Json:
    counts = {word: number for word, number in check["counts"].items() if number}
    more = len(images) - _NAMED_MAX
    value: Json = {
        "uuid": names.of("observation", str(document["run"]["number"]), check["id"]),
        "title": line(f"{check['id']}: {check['title']}"),
        "description": markdown(
            ", ".join(f"{number:,} {word}" for word, number in counts.items())
            + (f"; {more:,} of the images are named in fleet.json only" if more > 0 else "")
        )
        or "No image.",
        "props": [
            *props(check_id=check["id"], severity=check["severity"], trait=check["trait"]),
            *props(**{word.replace("-", "_"): str(number) for word, number in counts.items()}),
        ],
        "methods": ["EXAMINE"],
        "types": ["discovery"],
        "origins": [_origin(names)],
        "subjects": [
            {
                "subject-uuid": names.of("image", image["digest"], image["policy"]),
                "type": "inventory-item",
                "props": props(outcome=word),
            }
            for image, word in images[:_NAMED_MAX]
        ]
        or [{"subject-uuid": names.of("component", "fleet"), "type": "component"}],
        "collected": document["run"]["finished"] or document["run"]["started"],
        "relevant-evidence": [
            {"href": f"#{names.of('resource', 'document')}", "description": "The images, with every check that failed."}
        ],
    }
    return value


def _risk(check: FleetCheck, document: FleetDocument, names: _Names) -> Json:
    """Open where the check failed in some image without a waiver; accepted where all are waived. Never closed."""
    opened = check["counts"]["failed"]
    value: Json = {
        "uuid": names.of("risk", check["id"]),
        "title": line(f"{check['id']} failed: {check['title']}"),
        "description": f"The check failed in {wording.count(opened + check['counts']['waived'], 'image')}, "
        f"waived in {check['counts']['waived']} of them.",
        "statement": markdown(check["rationale"]) or line(check["title"]),
        "props": props(check_id=check["id"]),
        "status": "open" if opened else "deviation-approved",
        "origins": [_origin(names)],
        "characterizations": [
            {
                "origin": _origin(names),
                "facets": [{"name": "severity", "system": _OSCAL, "value": check["severity"]}],
            }
        ],
        "remediations": [
            {
                "uuid": names.of("remediation", check["id"]),
                "lifecycle": "recommendation",
                "title": line(f"Make {check['id']} pass"),
                "description": markdown(check["remediation"]) or "None is known.",
            }
        ],
        "related-observations": [
            {"observation-uuid": names.of("observation", str(document["run"]["number"]), check["id"])}
        ],
    }
    return value


def _findings(document: FleetDocument, names: _Names) -> Iterator[Json]:
    failed = {check["id"] for check in document["checks"] if check["counts"]["failed"] or check["counts"]["waived"]}
    for control in _catalogued(document):
        counter = [
            mapped["check"]
            for mapped in control["mapping"]
            if mapped["relation"] in _COUNTER_EXAMPLE and mapped["check"] in failed
        ]
        if not counter or not control["counts"]["contradicted"]:
            continue
        target = targets()[control["id"]]
        run = str(document["run"]["number"])
        yield {
            "uuid": names.of("finding", control["id"]),
            "title": line(f"{control['label']} {control['title']}"),
            "description": f"Failed in some image: {', '.join(counter)}. What these checks test lies within the "
            f"control; it is contradicted in {wording.count(control['counts']['contradicted'], 'image')}.",
            "target": {
                "type": "objective-id" if "_obj" in target else "statement-id",
                "target-id": target,
                "status": {"state": "not-satisfied", "reason": "fail"},
            },
            "related-observations": [{"observation-uuid": names.of("observation", run, check)} for check in counter],
            "related-risks": [{"risk-uuid": names.of("risk", check)} for check in counter],
        }


def _catalogued(document: FleetDocument) -> list[FleetControl]:
    known = targets()
    return [
        control
        for framework in document["frameworks"]
        for control in framework["controls"]
        if control["baselines"] is not None and control["id"] in known
    ]


def _reviewed(document: FleetDocument) -> Json:
    ids = list(dict.fromkeys(control["id"] for control in _catalogued(document)))
    if not ids:
        nothing = "No control was reviewed: no system security plan is imported, so that all of its controls are none."
        return {"control-selections": [{"description": nothing, "include-all": {}}]}
    return {
        "control-selections": [
            {
                "description": "The controls on which the checks of this fleet bear; none of them as a whole.",
                "include-controls": [{"control-id": identifier} for identifier in ids],
            }
        ]
    }


def _item(image: FleetImage, names: _Names) -> Json:
    told = [words.name(name) for name in image["references"][:_REFERENCES_MAX]]
    more = len(image["references"]) - len(told)
    return {
        "uuid": names.of("image", image["digest"], image["policy"]),
        "description": markdown(", ".join(told) + (f" and {more} more" if more > 0 else "")) or image["digest"],
        "props": [
            {"name": "asset-id", "value": image["digest"]},
            *props(
                outcome=image["outcome"],
                state=image["state"],
                groups=" ".join(image["groups"]),
                owners=" ".join(image["owners"]),
                policy=image["policy"],
                assessment=image["assessment"],
                reason=image["reason"],
                platform=image["platform"],
            ),
        ],
        "implemented-components": [{"component-uuid": names.of("component", "fleet")}],
    }


def _fleet_component(document: FleetDocument, names: _Names) -> Json:
    return {
        "uuid": names.of("component", "fleet"),
        "type": "software",
        "title": line(f"Container fleet {document['fleet']}"),
        "description": "Every image of the population. Each is an inventory item, named by its digest.",
        "props": props(population=document["run"]["population"]),
        "status": {"state": "operational"},
    }


def _assets(document: FleetDocument, names: _Names) -> Json:
    component = names.of("component", "tool")
    return {
        "components": [
            {
                "uuid": component,
                "type": "software",
                "title": line(document["run"]["tool"]),
                "description": "Reads images' own bytes, lists packages, verifies signatures, runs the checks.",
                "props": props(controls_digest=document["run"]["controlsDigest"]),
                "status": {"state": "operational"},
            }
        ],
        "assessment-platforms": [
            {
                "uuid": names.of("platform", "tool"),
                "title": line(document["run"]["tool"]),
                "uses-components": [{"component-uuid": component}],
            }
        ],
    }


def _origin(names: _Names) -> Json:
    return {"actors": [{"type": "tool", "actor-uuid": names.of("component", "tool")}]}


def _document_resource(names: _Names, digest: str) -> Json:
    return {
        "uuid": names.of("resource", "document"),
        "title": "The fleet document",
        "description": "Every image with every check that failed in it, and all counts.",
        "rlinks": [
            {
                "href": "fleet.json",
                "media-type": "application/json",
                "hashes": [{"algorithm": "SHA-256", "value": digest}],
            }
        ],
    }


def _plan_resource(names: _Names) -> Json:
    return {
        "uuid": names.of("resource", "plan"),
        "title": "No assessment plan",
        "description": "What is assessed, and how often, stands in the fleet file, which is no OSCAL document.",
    }
