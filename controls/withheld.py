"""An assessment without the secrets of the image that it is about: a report must not be one more place to find them.

Checks see the image as it is. What leaves the assessment, in whatever format, is made from what is given back here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, replace
from types import MappingProxyType

from compliance.formats.secrets import SecretSearch
from compliance.model.assessment import Assessment
from compliance.model.evidence import Evidence
from compliance.model.image import Image, ImageConfig, Layer
from compliance.model.outcome import AnyOutcome, CheckResult, Failed, Observation, Passed
from controls.secret_rules import secret_search

WITHHELD = "[withheld]"

_NO_VALUE = re.compile(r".{0,3}|[a-z]{1,12}", re.DOTALL)
"""Values that are left where they stand: cut out of other texts they would take words with them (``postgres``).
Behind the name that makes them a credential every output withholds them anyway."""


def without_secrets(assessment: Assessment) -> Assessment:
    """`assessment` with every secret of the config's texts, and every token, taken out of all its texts."""
    evidence = assessment.evidence
    clean = _Cleaner(secret_search(), _texts(evidence.image))
    return replace(
        assessment,
        evidence=_evidence(evidence, clean),
        results=tuple(_result(result, clean) for result in assessment.results),
    )


class _Cleaner:
    """Takes out the values that are known, and what is a secret by its form."""

    def __init__(self, search: SecretSearch, texts: Iterable[tuple[str | None, str]]) -> None:
        self._search = search
        values: set[str] = set()
        for name, text in texts:
            values.update(search.values(text))
            if name is not None and search.named_value(name, text):
                values.add(text)
        # Longer ones first: a part of a value must not keep the whole from being found.
        wanted = (value for value in values if not _NO_VALUE.fullmatch(value))
        known = sorted(wanted, key=lambda value: (-len(value), value))
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def text(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(WITHHELD, text)
        for value in self._search.tokens(text):
            text = text.replace(value, WITHHELD)
        return text

    def optional(self, text: str | None) -> str | None:
        return None if text is None else self.text(text)

    def texts(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self.text(text) for text in texts)

    def mapping(self, mapping: Mapping[str, str]) -> Mapping[str, str]:
        return MappingProxyType({self.text(key): self.text(value) for key, value in mapping.items()})


def _texts(image: Image) -> Iterator[tuple[str | None, str]]:
    """(name, text) of what the config and the manifest say, as the check for secrets looks at it."""
    config = image.config or ImageConfig()
    for mapping in (config.env, config.labels, image.annotations):
        for name, value in mapping.items():
            yield name, value
            yield None, name
    lists = (config.entrypoint, config.cmd, config.healthcheck or (), config.shell or (), config.on_build)
    for texts in (*lists, config.history, config.exposed_ports, config.volumes):
        for text in texts:
            yield None, text
    for words in lists:
        yield None, " ".join(words)  # an option and its value may be two arguments
    for one in (config.user, config.working_dir, *(layer.created_by for layer in image.layers)):
        yield None, one or ""


def _evidence(evidence: Evidence, clean: _Cleaner) -> Evidence:
    image, profile = evidence.image, evidence.profile
    return replace(
        evidence,
        image=replace(
            image,
            config=None if image.config is None else _config(image.config, clean),
            layers=tuple(_layer(layer, clean) for layer in image.layers),
            annotations=clean.mapping(image.annotations),
            notices=clean.texts(image.notices),
        ),
        profile=replace(profile, declared=clean.optional(profile.declared)),
    )


def _layer(layer: Layer, clean: _Cleaner) -> Layer:
    return replace(layer, created_by=clean.optional(layer.created_by))


def _config(config: ImageConfig, clean: _Cleaner) -> ImageConfig:
    """Every field, by its kind: one that is added later is cleaned too."""
    kinds: tuple[tuple[type, Callable[..., object]], ...] = (
        (str, clean.text),
        (tuple, clean.texts),
        (Mapping, clean.mapping),
    )
    changed: dict[str, object] = {}
    for field in fields(config):
        value = getattr(config, field.name)
        for kind, cleaned in kinds:
            if isinstance(value, kind):
                changed[field.name] = cleaned(value)
    return replace(config, **changed)  # type: ignore[arg-type]


def _result(result: CheckResult, clean: _Cleaner) -> CheckResult:
    return replace(result, outcome=_outcome(result.outcome, clean))


def _outcome(outcome: AnyOutcome, clean: _Cleaner) -> AnyOutcome:
    observations = tuple(_observation(observation, clean) for observation in outcome.observations)
    if isinstance(outcome, Passed | Failed):
        return replace(outcome, observations=observations)
    return replace(outcome, reason=clean.text(outcome.reason), observations=observations)


def _observation(observation: Observation, clean: _Cleaner) -> Observation:
    summary, value = clean.text(observation.summary), clean.optional(observation.value)
    if summary == observation.summary and value == observation.value:
        return observation
    return replace(observation, summary=summary, value=value)
