"""A fleet document whose every text is meant to break out of where it is printed."""

from __future__ import annotations

import copy
from typing import Any, cast

from reports.fleet_document import FleetDocument
from reports.text import clean
from tests.builders.assessment import ESCAPING

MARKUP = '"><img src=http://leak.example/a onerror=fetch("http://leak.example/b")><script>window.ran=1</script>'
NAMES = (f"registry:r.example/{MARKUP}:1", "registry:r.example/" + "W" * 400, f"registry:r.example/{ESCAPING}")


def hostile(document: FleetDocument) -> FleetDocument:
    """`document` with names that are long, reversed, coloured or markup, as parts of an image's report have them."""
    changed: Any = copy.deepcopy(document)
    changed["fleet"] = MARKUP
    groups = {part["name"]: f"{MARKUP} {part['name']}" for part in changed["groups"]}
    for part in (*changed["groups"], *changed["owners"]):
        part["name"] = groups.get(part["name"], f"{ESCAPING} {part['name']}")
        part["owners"] = [f"{MARKUP} {owner}" for owner in part["owners"]]
    for cell in changed["heat"]:
        cell["group"] = groups[cell["group"]]
    for place, image in enumerate(changed["images"]):
        image["references"] = [NAMES[place % len(NAMES)], *image["references"]]
        image["groups"] = [groups[group] for group in image["groups"]]
        image["owners"] = [f"{MARKUP}|{ESCAPING}" for _ in image["owners"]]
        image["distribution"] = MARKUP
        if image["reason"]:
            image["reason"] = MARKUP + ESCAPING
    for one in (*changed["unresolved"], *changed["changes"]["findings"], *changed["changes"]["images"]):
        one["group"], one["reference"], one["reason"] = MARKUP, NAMES[0], ESCAPING
    for check in changed["checks"]:
        check["title"] = check["remediation"] = check["rationale"] = MARKUP
    for base in changed["bases"]["bases"]:
        base["createdBy"] = base["distribution"] = MARKUP
        base["itself"] = [NAMES[0]]
    for waiver in changed["waivers"]:
        waiver["id"] = waiver["reason"] = waiver["approver"] = waiver["ticket"] = MARKUP + ESCAPING
    for framework in changed["frameworks"]:
        framework["name"], framework["caveats"] = MARKUP, [MARKUP]
        for control in framework["controls"]:
            control["title"] = control["label"] = MARKUP
    return cast(FleetDocument, _cleaned(changed))


def _cleaned(value: Any) -> Any:
    """As every document is when it is made."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    return {clean(key): _cleaned(item) for key, item in value.items()} if isinstance(value, dict) else value
