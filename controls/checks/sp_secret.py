"""SP-SECRET: nobody who can pull the image gets a secret with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from compliance.errors import FormatError
from compliance.formats.json_data import read_json
from compliance.formats.secrets import Scan, SecretSearch
from compliance.model.evidence import Evidence
from compliance.model.filesystem import FileEntry, FileKind, FileSecrets, Secret, display_path
from compliance.model.image import Image
from compliance.model.outcome import (
    Check,
    Failed,
    Observation,
    ObservationKind,
    Outcome,
    Passed,
    Severity,
    Trait,
    Unknown,
)
from controls.observe import count, not_wholly_read, note
from controls.secret_rules import secret_knowledge, secret_search

_PRESENT_MAX = 200
_OTHERS_MAX = 100
_TEXTS_MAX = 20_000
_DEPTH_MAX = 16
_COMMANDS = (", Entrypoint", ", Cmd", ", Test")
"""Lists that are one command: an option and its value may be two arguments."""


def run(evidence: Evidence) -> Outcome:
    """Secrets in files of any layer, live or hidden, and in every text of config and manifest."""
    judged = sorted((*_in_files(evidence), *_in_texts(evidence)), key=lambda one: one.order)
    present = [one for one in judged if one.verdict == "present"]
    possible = [one for one in judged if one.verdict == "possible"]
    told = (
        *_told(present, _PRESENT_MAX, "more secret"),
        *_told(possible, _OTHERS_MAX, "more possible secret"),
        *_harmless([one for one in judged if one.verdict is None]),
    )
    if present:
        return Failed(observations=told)
    if possible:
        number, first = count(len(possible), "possible secret"), possible[0].observation.summary
        return Unknown(reason=f"{number}, the first {first}", observations=told)
    return _nothing_found(evidence, told)


def _nothing_found(evidence: Evidence, told: tuple[Observation, ...]) -> Outcome:
    tree = evidence.filesystem
    if tree.secrets is None:
        return Unknown(reason="the files were not searched for secrets", observations=told)
    gap = next((one for one in tree.secrets if one.unsearched), None)
    if gap is not None:
        return Unknown(reason=f"{display_path(gap.path)} in layer {gap.layer}: {gap.unsearched}", observations=told)
    if not tree.wholly_read:
        return not_wholly_read(tree, told)
    if evidence.image.config is None:
        reason = "a root filesystem has no config, history or lower layers, where an image may have secrets"
        return Unknown(reason=reason, observations=told)
    texts = list(_texts(evidence.image))
    if len(texts) >= _TEXTS_MAX:
        return Unknown(reason=f"more than {_TEXTS_MAX:,} texts in config and manifest", observations=told)
    layers = count(len(evidence.image.layers), "layer")
    kinds = len(secret_knowledge().rules.rules)
    finding = Observation(
        summary=f"All files of {layers} and {count(len(texts), 'text')} of config and manifest were searched for "
        f"{kinds} kinds of secrets: none is there that counts.",
        kind=ObservationKind.COVERAGE,
        method="secret search",
    )
    return Passed(observations=(finding, *told))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """One secret with what is to be said of it: `verdict` present, possible, or None with `harmless` saying why."""

    observation: Observation
    verdict: str | None
    harmless: str | None = None

    @property
    def order(self) -> tuple[str, int, str]:
        return self.observation.path or "", self.observation.layer or 0, self.observation.summary


# ---- files


def _in_files(evidence: Evidence) -> Iterator[_Judged]:
    tree = evidence.filesystem
    hidden = {(residue.path, residue.layer): residue for residue in tree.residue}
    for file in tree.secrets or ():
        entry = tree.get(file.path)
        live = entry if entry is not None and entry.kind is FileKind.REGULAR and entry.layer == file.layer else None
        residue = hidden.get((file.path, file.layer))
        owner = evidence.inventory.owner(*(tree.names(live) if live is not None else (file.path,)))
        sha256 = live.sha256 if live is not None else residue.sha256 if residue is not None else None
        by = f", which layer {residue.hidden_by} hides" if residue is not None else ", which is replaced"
        for secret in file.found:
            verdict, why = _verdict(evidence, secret, file.path, owner)
            summary = f"{display_path(file.path)}{'' if live is not None else by}{_line(secret)}: {secret.kind}"
            yield _Judged(
                observation=Observation(
                    summary=f"{summary}{f', {why}' if why else ''}.",
                    kind=ObservationKind.FILE if live is not None else ObservationKind.RESIDUE,
                    path=file.path,
                    names=_other_names(evidence, live),
                    layer=file.layer,
                    sha256=sha256 if _may_be_digested(file) else None,
                    package=owner,
                    value=_digest(secret),
                    method="secret search",
                    verdict=verdict,
                ),
                verdict=verdict,
                harmless=why,
            )


def _other_names(evidence: Evidence, live: FileEntry | None) -> tuple[str, ...]:
    return () if live is None else tuple(name for name in evidence.filesystem.names(live) if name != live.path)


def _may_be_digested(file: FileSecrets) -> bool:
    """A file with a short password and little else is as easily guessed from its digest as the password itself."""
    return all(secret.sha256 is not None for secret in file.found)


def _digest(secret: Secret) -> str | None:
    return None if secret.sha256 is None else f"sha256:{secret.sha256}"


def _line(secret: Secret) -> str:
    return f", line {secret.line}" if secret.line is not None else f", byte {secret.offset}"


def _verdict(evidence: Evidence, secret: Secret, path: str, owner: str | None) -> tuple[str | None, str | None]:
    """present, possible (with what makes it uncertain) or None (with why it is harmless)."""
    if secret.published is not None:
        return None, secret.published
    if secret.expires is not None and secret.expires <= evidence.assessed_at.timestamp():
        return None, "which has expired"
    place = next((place for place in secret_knowledge().places if place.paths.matches(path)), None)
    if place is not None and (owner is not None or not place.owned):
        return None, place.why
    if place is not None:
        return "possible", f"at a place for {place.why}, but no package owns the file"
    if secret.reason is not None:
        return (None, f"shipped by a package: {secret.reason}") if owner is not None else ("possible", secret.reason)
    return "present", None


# ---- config and manifest


def _in_texts(evidence: Evidence) -> Iterator[_Judged]:
    search = secret_search()
    for place, name, text in _texts(evidence.image):
        scan = _scan(search, name, text)
        for secret in scan.found:
            verdict, why = _verdict(evidence, secret, "", None)
            yield _Judged(
                observation=Observation(
                    summary=f"{place}: {secret.kind}{f', {why}' if why else ''}.",
                    kind=ObservationKind.CONFIG,
                    value=_digest(secret),
                    method="secret search",
                    verdict=verdict,
                ),
                verdict=verdict,
                harmless=why,
            )


def _scan(search: SecretSearch, name: str | None, text: str) -> Scan:
    """What is in `text`, the value of `name` if it has one; a telling name counts where the value tells nothing."""
    scan = search.search_text(text)
    if scan.found or name is None or not search.named_value(name, text):
        return scan
    return Scan(found=(Secret(rule="assigned-value", kind="value behind a name that tells a credential", offset=0),))


def _texts(image: Image) -> Iterator[tuple[str, str | None, str]]:
    """(place, name of the value, text) of every text in the config and of every annotation of the manifest."""
    number = 0
    for what, content in (("image config", image.config_bytes), ("manifest", image.manifest)):
        try:
            value = read_json(content) if content else {}
        except FormatError:
            continue  # its digest was checked and it was parsed when the image was opened: there is no such image
        for item in _strings(what, value, 0, secret_search()):
            if number >= _TEXTS_MAX:
                return
            number += 1
            yield item


def _strings(place: str, value: object, depth: int, search: SecretSearch) -> Iterator[tuple[str, str | None, str]]:
    """The texts in a JSON value, keys among them: a key that is a secret is not part of any place's name."""
    if isinstance(value, str):
        yield place, None, value
    elif depth >= _DEPTH_MAX:
        return
    elif isinstance(value, list) and place.endswith(_COMMANDS):
        yield place, None, " ".join(item for item in value if isinstance(item, str))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if place.endswith(", Env") and isinstance(item, str):
                name, _, text = item.partition("=")
                yield f"{place}[{index}]", name, text
            else:
                yield from _strings(f"{place}[{index}]", item, depth + 1, search)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield f"{place}, a key", None, key
            shown = "a key withheld" if search.search_text(key).found else key
            if isinstance(item, str):
                yield f"{place}, {shown}", key, item
            else:
                yield from _strings(f"{place}, {shown}", item, depth + 1, search)


# ---- telling


def _told(judged: list[_Judged], most: int, noun: str) -> Iterator[Observation]:
    yield from (one.observation for one in judged[:most])
    if len(judged) > most:
        yield note(f"{count(len(judged) - most, noun)}.")


def _harmless(judged: list[_Judged]) -> Iterator[Observation]:
    """One note for each reason, with the first place."""
    reasons: dict[str, list[_Judged]] = {}
    for one in judged:
        reasons.setdefault(one.harmless or "", []).append(one)
    for reason, some in sorted(reasons.items()):
        path = some[0].observation.path
        where = f", {display_path(path)} the first" if path else ""
        yield note(f"Not counted: {count(len(some), 'secret')} ({reason}){where}.")


CHECK = Check(
    id="SP-SECRET",
    title="No secrets in layers, config, history or labels",
    trait=Trait.SUPPLY,
    severity=Severity.CRITICAL,
    rationale="Whoever can pull the image can read every byte of every layer, of the history and of the "
    "configuration: a secret in it is known to all of them, and deleting it in a later layer does not take it back.",
    looks_at="Every byte of every regular file of every layer, hidden and replaced ones too, and every text of the "
    "image config (environment, labels, history) and of the manifest: private keys, cloud keys, tokens with their "
    "checksums, credential files and values behind telling names, by the rules in knowledge/secrets.yaml.",
    proves="A pass proves that all layers and the config were searched whole and that nothing there has one of these "
    "forms, save what is noted: published keys, expired tokens, and test data and samples that a package owns. It does "
    "not see inside archives and compressed files, nor binary key stores, nor passwords in files that are not made "
    "for them, nor secrets of other forms. A finding is not tried out. Values are never written down: a digest stands "
    "for those that can't be guessed from it.",
    remediation="Revoke the secret first: whoever has pulled the image has it. Then build without it (RUN "
    "--mount=type=secret, multi-stage builds, a .dockerignore file); deleting it in a later layer leaves it in the "
    "lower one. Give it to the container when it starts.",
    run=run,
    references=("RFC 7468: textual encodings of keys", "RFC 7519: JSON Web Token", "Docker build: build secrets"),
)
