"""The question of a declared check to the image config: a field of it, a label, an environment variable."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from compliance.formats.strict_yaml import Section
from compliance.model.evidence import Evidence
from compliance.model.image import ImageConfig
from compliance.model.outcome import Failed, NotApplicable, Outcome, Passed
from compliance.model.request import ContentRequest
from controls.declared_file import State
from controls.observe import config_observation

FIELDS: Final[dict[str, Callable[[ImageConfig], str | tuple[str, ...] | None]]] = {
    "user": lambda config: config.user or None,
    "entrypoint": lambda config: config.entrypoint or None,
    "cmd": lambda config: config.cmd or None,
    "working-dir": lambda config: config.working_dir or None,
    "stop-signal": lambda config: config.stop_signal or None,
    "healthcheck": lambda config: config.healthcheck,
    "shell": lambda config: config.shell,
    "exposed-ports": lambda config: tuple(sorted(config.exposed_ports)) or None,
    "volumes": lambda config: tuple(sorted(config.volumes)) or None,
}
"""What ``config`` can ask about; None where the config does not have it."""

_STATES = {state.value: state for state in (State.PRESENT, State.ABSENT, State.IF_PRESENT)}
_PATTERN_MAX = 500
_VALUE_MAX = 4096
_CONDITIONS = ("equals", "one-of", "matches")


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingQuestion:
    """A setting by `place` (config, label or env) and `name`, and its value: one of `values`, or as `pattern` says.

    A list is asked item by item. Values of environment variables are never told: they may be secrets.
    """

    place: str
    name: str
    state: State
    values: tuple[str, ...] = ()
    pattern: str | None = None
    requests: tuple[ContentRequest, ...] = ()

    @property
    def asks(self) -> str:
        """What is asked, after "whether"."""
        if self.state is State.ABSENT:
            return f"{self._what} is not set"
        value = ""
        if self.values:
            value = f"is {' or '.join(repr(value) for value in self.values)}"
        elif self.pattern is not None:
            value = f"matches {self.pattern!r}"
        if self.state is State.IF_PRESENT:
            return f"{self._what}, if it is set, {value}"
        return f"{self._what} {value or 'is set'}"

    @property
    def looks_at(self) -> str:
        """What is read."""
        return "The image config, whose digest is checked: a claim of whoever built the image, in force when it is run."

    def run(self, evidence: Evidence) -> Outcome:
        """The config is whole or there is none."""
        config = evidence.image.config
        if config is None:
            return NotApplicable(reason="a root filesystem has no image config")
        value = self._value(config)
        if value is None:
            seen = config_observation(f"{_capital(self._what)} is not set.")
            if self.state is State.IF_PRESENT:
                return NotApplicable(reason=f"{self._what} is not set", observations=(seen,))
            return (Passed if self.state is State.ABSENT else Failed)(observations=(seen,))
        told = None if self.place == "env" else value if isinstance(value, str) else " ".join(value)
        good = self.state is not State.ABSENT and self._accepts(value)
        said = (
            "is as asked" if good else "is set" if self.state is State.ABSENT else "has another value than is asked for"
        )
        seen = config_observation(f"{_capital(self._what)} {said}.", told)
        return (Passed if good else Failed)(observations=(seen,))

    @property
    def _what(self) -> str:
        return {"config": f"{self.name} of the image config", "label": f"the label {self.name}"}.get(
            self.place, f"the environment variable {self.name}"
        )

    def _value(self, config: ImageConfig) -> str | tuple[str, ...] | None:
        if self.place == "config":
            return FIELDS[self.name](config)
        return (config.labels if self.place == "label" else config.env).get(self.name)

    def _accepts(self, value: str | tuple[str, ...]) -> bool:
        items = (value,) if isinstance(value, str) else value
        if self.values:
            return all(item in self.values for item in items)
        if self.pattern is not None:
            return all(len(item) <= _VALUE_MAX and re.fullmatch(self.pattern, item) is not None for item in items)
        return True


def read_setting_question(place: str, part: Section) -> SettingQuestion:
    """The mapping under ``config``, ``label`` or ``env``. Raises PolicyError naming the line and the field."""
    key = "key" if place == "config" else "name"
    part.only(key, "state", *_CONDITIONS)
    name = part.text(key)
    if place == "config" and name not in FIELDS:
        raise part.error(f"{name!r} is not a field of the config", key, hint=f"write one of {', '.join(FIELDS)}")
    given = [condition for condition in _CONDITIONS if part.has(condition)]
    if len(given) > 1:
        raise part.error(f"{given[0]} and {given[1]} exclude each other", given[1], hint="keep one of them")
    state = part.choice("state", _STATES) if part.has("state") else State.PRESENT
    if state is State.ABSENT and given:
        raise part.error("says what the value is, and there must be none", given[0], hint="leave it out, or state")
    if state is State.IF_PRESENT and not given:
        raise part.error("if-present demands nothing of the value", "state", hint=f"add {', '.join(_CONDITIONS)}")
    values: tuple[str, ...] = ()
    if given and given[0] != "matches":
        values = (part.text("equals"),) if given[0] == "equals" else part.text_or_texts("one-of")
    return SettingQuestion(
        place=place, name=name, state=state, values=values, pattern=_pattern(part) if "matches" in given else None
    )


def _pattern(part: Section) -> str:
    pattern = part.text("matches")
    try:
        re.compile(pattern)
    except re.error as error:
        raise part.error(
            f"not a regular expression: {error}", "matches", hint="it must match the whole value"
        ) from None
    if len(pattern) > _PATTERN_MAX:
        raise part.error(f"more than {_PATTERN_MAX} characters", "matches", hint="write a shorter pattern")
    return pattern


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
