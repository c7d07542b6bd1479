"""An assessment document in which everything that an image can say is hostile to whoever prints it."""

from __future__ import annotations

import copy
from typing import Any

from reports.document import Document

MARKUP = (
    '<script>alert(1)</script><img src="http://evil.example/x.png"></td></table><style>*{display:none}</style>{{7*7}}'
)
CONTROLS = "a\x00b\x1b[31mred\r\nnew\tline\x7f"
BIDI = "\u202egnp.exe\u202c \u2066hidden\u2069 \u200bzero\u200dwidth\ufeff"
LONG = "/" + "x" * 4094 + "y"
DEEP = "/" + "/".join(["directory"] * 400)
ZALGO = "Z\u0336\u0321\u0327a\u0335l\u0337g\u0336o " + "\u0300" * 60
EMOJI = "\U0001f600\U0001f469\u200d\U0001f680 \u540d\u524d"
TEXTS = (MARKUP, CONTROLS, BIDI, LONG, DEEP, ZALGO, EMOJI)

_FREE = frozenset(
    {
        "reference", "value", "path", "summary", "reason", "package", "method", "createdBy", "user",
        "workingDir", "prettyName", "title", "rationale", "remediation", "proves", "approver", "identity", "issuer",
        "foundIn", "predicateType", "where", "source", "uncounted", "label", "name",
    }
)  # fmt: skip
_LISTS = frozenset(
    {"names", "entrypoint", "cmd", "volumes", "exposedPorts", "onBuild", "notices", "caveats", "healthcheck"}
)


def hostile(document: Document) -> Document:
    """`document` with one hostile text after the other wherever a text is free."""
    turn = iter(range(10**6))
    copied = copy.deepcopy(document)
    _spoil(copied, turn)
    return copied


def _spoil(value: Any, turn: Any) -> None:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(items):
        if isinstance(item, dict | list):
            if key == "profile":
                continue  # words of this tool alone
            if key in _LISTS:
                value[key] = [TEXTS[next(turn) % len(TEXTS)] for _ in range(3)]
            else:
                _spoil(item, turn)
        elif isinstance(item, str) and key in _FREE:
            value[key] = TEXTS[next(turn) % len(TEXTS)]
