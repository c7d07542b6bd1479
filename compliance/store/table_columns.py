"""The tables of a fleet that are exported and read as frames, and the kind of each column."""

from __future__ import annotations

from collections.abc import Mapping

CATEGORY = "category"  # a text that repeats
STRING = "string"
TIME = "time"  # UTC, to the microsecond
INTEGER = "integer"
COUNT = "count"  # an integer, or nothing where there is no assessment
REAL = "real"
TRUTH = "truth"

ITEM = {"fleet": CATEGORY, "run": INTEGER, "digest": CATEGORY, "policy": CATEGORY, "reference": CATEGORY}
ITEM |= {"assessment": CATEGORY}

TABLES: Mapping[str, Mapping[str, str]] = {
    "runs": {
        "fleet": CATEGORY,
        "run": INTEGER,
        "state": CATEGORY,
        "started": TIME,
        "effective": TIME,
        "finished": TIME,
        "slot": TIME,
        "tool": CATEGORY,
        "fleet_digest": CATEGORY,
        "controls_digest": CATEGORY,
        "population": STRING,
        "previous": STRING,
        "chain": STRING,
        "members": INTEGER,
        "items": INTEGER,
        "assessed": INTEGER,
        "reused": INTEGER,
        "not_determined": INTEGER,
    },
    "images": {
        "fleet": CATEGORY,
        "run": INTEGER,
        "group": CATEGORY,
        "owner": CATEGORY,
        "reference": CATEGORY,
        "origin": STRING,
        "platform": CATEGORY,
        "digest": CATEGORY,
        "policy": CATEGORY,
        "state": CATEGORY,
        "code": CATEGORY,
        "reason": STRING,
        "assessment": CATEGORY,
        "outcome": CATEGORY,
        "worst": CATEGORY,
        "assessed_at": TIME,
        "distribution": CATEGORY,
        "user": CATEGORY,
        "profile": CATEGORY,
        "tool": CATEGORY,
        "base": CATEGORY,
        "layers": COUNT,
        "packages": COUNT,
        "findings": COUNT,
        "attempts": COUNT,
        "wall_seconds": REAL,
        "cpu_seconds": REAL,
        "peak_bytes": COUNT,
    },
    "checks": ITEM
    | {
        "check": CATEGORY,
        "trait": CATEGORY,
        "severity": CATEGORY,
        "outcome": CATEGORY,
        "waiver": CATEGORY,
        "counts": TRUTH,
        "observations": INTEGER,
    },
    "findings": ITEM
    | {
        "check": CATEGORY,
        "trait": CATEGORY,
        "severity": CATEGORY,
        "outcome": CATEGORY,
        "waiver": CATEGORY,
        "kind": CATEGORY,
        "path": STRING,
        "package": STRING,
        "layer": CATEGORY,
        "sha256": STRING,
        "verdict": CATEGORY,
        "summary": STRING,
        "key": STRING,
    },
    "packages": ITEM
    | {
        "purl": STRING,
        "type": CATEGORY,
        "name": STRING,
        "version": STRING,
        "layer": CATEGORY,
        "declared": TRUTH,
    },
    "controls": ITEM
    | {
        "framework": CATEGORY,
        "control": CATEGORY,
        "title": CATEGORY,
        "status": CATEGORY,
        "waived": TRUTH,
    },
    "waivers": ITEM
    | {
        "id": CATEGORY,
        "check": CATEGORY,
        "state": CATEGORY,
        "approver": CATEGORY,
        "reason": STRING,
        "ticket": CATEGORY,
        "created": TIME,
        "expires": TIME,
    },
    "layers": ITEM
    | {
        "position": INTEGER,
        "diff_id": CATEGORY,
        "layer": CATEGORY,
        "size": INTEGER,
        "created_by": STRING,
    },
}
"""The columns of each table with their kinds. `layer` and `digest` are digests; `base` the lowest layer's diffID."""
