"""The command `hullmark verify`, run in this process: what it answers, as an exit code and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compliance.cli.main import run
from compliance.errors import ComplianceError


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An exit code and the verification document; None where there is an error instead, which `error` says."""

    code: int
    document: dict[str, Any] | None = None
    error: str = ""

    @property
    def accepts(self) -> bool:
        return self.code == 0

    @property
    def verdicts(self) -> list[str]:
        """``signature verified``, ``https://… invalid``: in order."""
        document = self.document or {}
        return sorted(
            f"{item.get('predicateType', 'signature')} {item['verdict']}"
            for kind in ("signatures", "attestations")
            for item in document.get(kind, ())
        )

    @property
    def reasons(self) -> str:
        """Why, for messages."""
        return json.dumps(self.document, indent=1) if self.document else self.error


def verify(image: str, *arguments: str | Path, folder: Path, require: Sequence[str] = ()) -> Answer:
    """``hullmark verify IMAGE ARGUMENTS…``; the document is written to `folder`."""
    out = folder / "verification.json"
    command = ["verify", image, "-q", "-o", f"json={out}", *map(str, arguments)]
    for what in require:
        command += ["--require", what]
    try:
        code = run(command)
    except ComplianceError as error:
        return Answer(code=error.exit_code, error=f"{error.code}: {error}")
    return Answer(code=code, document=json.loads(out.read_bytes()))
