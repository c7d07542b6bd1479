"""What a request may ask for: the parameters of each page, each with its bounds; whatever else there is, is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from compliance.fleet.dashboard.image_list import SORTS, WITHOUT, ImageFilter
from compliance.fleet.posture import IMAGE_OUTCOMES, SEVERITIES, UNRESOLVED
from compliance.fleet.standing import Standing
from compliance.model.fleet import ItemState

if TYPE_CHECKING:
    from starlette.requests import Request

TEXT_MAX = 200
PARAMETERS_MAX = 16
NUMBER_MAX = 10**6

STATES = (*(state.value for state in ItemState), UNRESOLVED, WITHOUT)


class BadQuery(ValueError):  # noqa: N818 - it says what, not that it went wrong
    """A parameter that a page does not have, or a value that it can't have; the message names it."""


def text(name: str, value: str) -> str:
    """A text of one line."""
    if len(value) > TEXT_MAX or not value.isprintable():
        raise BadQuery(f"{name} is a text of at most {TEXT_MAX} characters")
    return value


def number(name: str, value: str) -> int | None:
    """A whole number from 1; None for an empty one."""
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and 1 <= int(value[:8]) <= NUMBER_MAX and len(value) < 8):
        raise BadQuery(f"{name} is a number from 1")
    return int(value)


def one_of(choices: Iterable[str]) -> Callable[[str, str], str]:
    """One of some words, or none."""
    known = tuple(choices)

    def read(name: str, value: str) -> str:
        if value and value not in known:
            raise BadQuery(f"{name} is one of {', '.join(known)}")
        return value

    return read


def read(request: Request, known: Mapping[str, Callable[[str, str], object]]) -> dict[str, object]:
    """The parameters of a request, each at most once. Those that are not there are not in the answer."""
    given = request.query_params.multi_items()
    if len(given) > PARAMETERS_MAX:
        raise BadQuery("too many parameters")
    found: dict[str, object] = {}
    for name, value in given:
        if name not in known:
            raise BadQuery("this page has no such parameter")
        if name in found:
            raise BadQuery(f"{name} is there twice")
        found[name] = known[name](name, value)
    return found


RUN: Mapping[str, Callable[[str, str], object]] = {"run": number}
PAGED: Mapping[str, Callable[[str, str], object]] = {**RUN, "page": number}
CHANGES: Mapping[str, Callable[[str, str], object]] = {"from": number, "to": number, "kind": text, "page": number}
CONTROLS: Mapping[str, Callable[[str, str], object]] = {**RUN, "framework": text}
IMAGE: Mapping[str, Callable[[str, str], object]] = {**RUN, "policy": text}
LOGIN: Mapping[str, Callable[[str, str], object]] = {"next": text}
IMAGES: Mapping[str, Callable[[str, str], object]] = {
    **PAGED,
    "q": text,
    "group": text,
    "owner": text,
    "outcome": one_of(IMAGE_OUTCOMES),
    "state": one_of(STATES),
    "severity": one_of(SEVERITIES),
    "check": text,
    "standing": one_of(standing.value for standing in Standing),
    "sort": one_of(SORTS),
}


def image_filter(values: Mapping[str, object]) -> ImageFilter:
    """The filter in the parameters of the list of images; what is empty is as if it were not there."""
    return ImageFilter(**{name: value for name, value in values.items() if name != "run" and value})  # type: ignore[arg-type]
