"""The chapter on the image: what it is made of, how it starts, what in it can be changed, and what was read."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from reports import wording
from reports.audit_charts import RED, bar, stacked_bar
from reports.document import Document
from reports.text import opening, shortened
from reports.writable_surface import writable_rows

_LAYERS_MAX = 24
_PLACES_MAX = 20
_CLAIMS_MAX = 16
_TYPES_MAX = 12
_ENVIRONMENT_MAX = 30
_NOTICES_MAX = 8


def image(document: Document) -> dict[str, object]:
    """What the template needs for the chapter."""
    subject, inventory = document["subject"], document["inventory"]
    system = inventory["distribution"]
    types = sorted(inventory["byType"].items(), key=lambda item: (-item[1], item[0]))
    claims = _claims(document)
    return {
        "system": shortened(system["prettyName"] or system["id"], 160) if system else "no os-release file in the image",
        "config": _config(document),
        "notices": [shortened(notice) for notice in subject["notices"][:_NOTICES_MAX]],
        "read": wording.read(document),
        **_layers(document),
        "packages": _amounts(types[:_TYPES_MAX], "packages"),
        "packages_sentence": _packages_sentence(document, len(types)),
        "claims": claims[:_CLAIMS_MAX],
        "more_claims": len(claims) - _CLAIMS_MAX,
        "writable": _writable(document),
    }


def _layers(document: Document) -> dict[str, object]:
    layers = document["subject"]["layers"]
    sizes = [layer["size"] for layer in layers]
    most = max(sizes, default=0)
    words = ", ".join(f"layer {number}: {wording.size(size)}" for number, size in enumerate(sizes[:_LAYERS_MAX], 1))
    return {
        "layers_bar": stacked_bar(sizes, f"Sizes of the layers. {words}", width=658) if sum(sizes) else "",
        "layers_sentence": f"{wording.count(len(layers), 'layer')}, {wording.size(sum(sizes))} compressed.",
        "layers": [
            {
                "number": number,
                "size": wording.size(layer["size"]),
                "bar": bar(layer["size"], most, wording.size(layer["size"]), width=70),
                "digest": layer["digest"],
                "created_by": shortened(layer["createdBy"] or "not recorded", 150),
            }
            for number, layer in enumerate(layers[:_LAYERS_MAX], 1)
        ],
        "more_layers": len(layers) - _LAYERS_MAX,
    }


def _amounts(amounts: Sequence[tuple[str, int]], what: str) -> list[dict[str, object]]:
    most = max((number for _, number in amounts), default=0)
    return [
        {"name": shortened(name, 60), "number": number, "bar": bar(number, most, f"{number:,} {what}", width=300)}
        for name, number in amounts
    ]


def _packages_sentence(document: Document, types: int) -> str:
    sentence = f"{wording.count(document['inventory']['packages'], 'package')} of {wording.count(types, 'type')}."
    if document["inventory"]["unknowns"]:
        sentence += " There may be more: see Read, but not understood, in the chapter on limits."
    return sentence + (f" The {_TYPES_MAX} most frequent types:" if types > _TYPES_MAX else "")


def _writable(document: Document) -> list[dict[str, object]]:
    rows = writable_rows(document)
    most = max((row.places or 0 for row in rows), default=0)
    return [
        {
            "id": row.check["id"],
            "outcome": row.check["outcome"],
            "word": wording.OUTCOMES[row.check["outcome"]],
            "places": row.shown,
            "bar": bar(row.places or 0, most, f"{row.shown} places", width=110, color=RED),
            "seen": opening(shortened(row.seen, 160), 110),
        }
        for row in rows
    ]


def _claims(document: Document) -> list[dict[str, str]]:
    """The claims by name; one that label and annotation make alike is one row."""
    sources: dict[tuple[str, str], list[str]] = {}
    for claim in document["subject"]["claims"]:
        sources.setdefault((claim["name"], claim["value"]), []).append(claim["source"])
    return [
        {"name": name, "value": shortened(value), "source": ", ".join(found)}
        for (name, value), found in sorted(sources.items())
    ]


def _config(document: Document) -> dict[str, str | None] | None:
    config = document["subject"]["config"]
    if config is None:
        return None
    variables = [
        variable["name"] if variable["value"] is None else f"{variable['name']}={variable['value']}"
        for variable in config["environment"]
    ]
    more = f", and {len(variables) - _ENVIRONMENT_MAX} more" if len(variables) > _ENVIRONMENT_MAX else ""
    return {
        "user": shortened(config["user"] or "", 160),
        "entrypoint": _command(config["entrypoint"]),
        "cmd": _command(config["cmd"]),
        "healthcheck": _command(config["healthcheck"] or []),
        "working_directory": shortened(config["workingDir"] or "", 160),
        "ports": shortened(", ".join(config["exposedPorts"])),
        "volumes": shortened(", ".join(config["volumes"])),
        "environment": ", ".join(shortened(variable, 120) for variable in variables[:_ENVIRONMENT_MAX]) + more,
        "on_build": shortened("; ".join(config["onBuild"])),
        "created": f"{config['created']} (unsigned claim)" if config["created"] else None,
    }


def _command(arguments: list[str]) -> str:
    return shortened(shlex.join(arguments)) if arguments else ""


def limits(document: Document) -> dict[str, object]:
    """What the template needs for the chapter on limits."""
    coverage = document["coverage"]
    absence = (
        "Something is called absent only where every file was read to its end; here it was so."
        if coverage["whollyRead"]
        else "Something is called absent only where every file was read to its end. Here it was not so; see below."
    )
    return {
        "absence": absence,
        **_unread("unread", [(place["path"], place["reason"]) for place in coverage["unread"]]),
        **_unread("unknowns", [(place["path"], place["reason"]) for place in document["inventory"]["unknowns"]]),
    }


def _unread(name: str, places: list[tuple[str, str]]) -> dict[str, object]:
    shown = [{"path": shortened(path, 200), "reason": shortened(reason, 200)} for path, reason in places[:_PLACES_MAX]]
    return {name: shown, f"more_{name}": len(places) - len(shown)}
