"""What is signed of a run: the end of its chain, which covers all that the run recorded and every run before it."""

from __future__ import annotations

from compliance.formats.intoto import REFERENCE, write_statement
from compliance.model.fleet import Run


def chain_statement(run: Run) -> bytes:
    """An in-toto statement about the chain of an ended run: who holds it can tell a history that was cut or edited.

    The predicate (Reference v0.1) names what the chain was made over. Raises ValueError for a run that is open.
    """
    if run.chain is None:
        raise ValueError("an open run has no chain yet")
    references = [
        _reference("fleet file", "application/yaml", run.fleet_digest),
        _reference("population", "application/jsonl", run.population),
        *([_reference("chain of the run before", "application/json", run.previous)] if run.previous else ()),
    ]
    name, _, version = run.tool.partition(" ")
    return write_statement(
        name=f"fleet {run.fleet}, run {run.number}, {run.started:%Y-%m-%dT%H:%M:%SZ}",
        digest=f"sha256:{run.chain}",
        predicate_type=REFERENCE,
        predicate={"attester": {"id": f"pkg:generic/{name}@{version}"}, "references": references},
    )


def _reference(name: str, media_type: str, digest: str) -> dict[str, object]:
    return {
        "name": name,
        "downloadLocation": "",
        "digest": {"sha256": digest.removeprefix("sha256:")},
        "mediaType": media_type,
    }
