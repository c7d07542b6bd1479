"""IM-FCAP: no program gains capabilities when it starts."""

from __future__ import annotations

from compliance.model.evidence import Evidence
from compliance.model.outcome import Check, Failed, Observation, ObservationKind, Outcome, Passed, Severity, Trait
from controls.file_capabilities import FileCapabilities, decode
from controls.observe import coverage, file_observation, not_wholly_read


def run(evidence: Evidence) -> Outcome:
    """Every security.capability attribute, decoded; one that grants nothing, or on no program, is a note."""
    tree = evidence.filesystem
    found: list[Observation] = []
    notes: list[Observation] = []
    for entry in [entry for entry in tree.files() if entry.capability]:
        decoded = decode(entry.capability)
        value = str(decoded) if decoded is not None else entry.capability[:64].hex()
        summary = _sentence(decoded)
        grants = decoded is None or decoded.permitted or decoded.inheritable
        if grants and entry.executable:
            found.append(file_observation(evidence, entry, summary, value=value, method="security.capability"))
            continue
        why = "nobody may execute the file" if grants else "it grants nothing"
        notes.append(
            file_observation(
                evidence,
                entry,
                f"{summary} That takes no effect now: {why}.",
                value=value,
                kind=ObservationKind.NOTE,
                method="security.capability",
            )
        )
    if found:
        return Failed(observations=(*found, *notes))
    if not tree.wholly_read:
        return not_wholly_read(tree, tuple(notes))
    return Passed(observations=(coverage(evidence, "no executable file has file capabilities"), *notes))


def _sentence(decoded: FileCapabilities | None) -> str:
    if decoded is None:
        return "The file has a security.capability attribute that is none of the known revisions."
    if not decoded.permitted and not decoded.inheritable:
        return "The file has an empty set of capabilities."
    namespace = f", in the user namespace of root id {decoded.root_id}" if decoded.root_id else ""
    return f"The file has the capabilities {decoded}{namespace}."


CHECK = Check(
    id="IM-FCAP",
    title="No file capabilities",
    trait=Trait.IMMUTABLE,
    severity=Severity.HIGH,
    rationale="A file capability gives a part of root's power to whoever runs the program, as setuid does; it is an "
    "extended attribute, so a search for mode bits does not see it.",
    looks_at="The extended attribute security.capability of every regular file of the merged tree, as the layers "
    "carry it, decoded by VFS_CAP_REVISION 1, 2 and 3.",
    proves="A pass proves that no regular file that anybody may execute carries file capabilities in the image's "
    "layers. Capabilities given to the whole container at run time are not part of the image.",
    remediation="Remove the attribute (setcap -r FILE). For a port below 1024 listen on a higher one instead of "
    "cap_net_bind_service.",
    run=run,
    references=("capabilities(7)", "linux/capability.h: struct vfs_ns_cap_data"),
)
