"""An SVG picture of an organisation's, written anew from the shapes in it.

What could do more than be looked at is refused, not repaired: scripts, event handlers, style sheets, animation,
embedded pictures and documents, links, text (it would need a font), every reference out of the file, and what repeats
parts of the picture within itself, as a few hundred bytes of that keep a reader busy for years. What draws nothing,
such as the notes that drawing programs keep in namespaces of their own, is left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import ParseError, XMLParser
from xml.sax.saxutils import quoteattr

from compliance.errors import FormatError

ELEMENTS_MAX = 5000
DEPTH_MAX = 64

_SVG = "{http://www.w3.org/2000/svg}"
_XLINK_HREF = "{http://www.w3.org/1999/xlink}href"
_SHAPES = re.compile(
    "svg|g|path|rect|circle|ellipse|line|polyline|polygon|defs|linearGradient|radialGradient|stop|clipPath|mask"
)
_NOTES = frozenset({"title", "desc", "metadata"})
"""What says something about the picture: left out with all that is in it."""
_ATTRIBUTES = re.compile(
    "id|viewBox|preserveAspectRatio|x|y|x1|y1|x2|y2|cx|cy|r|rx|ry|fx|fy|fr|d|points|width|height|transform|href"
    "|fill|fill-rule|fill-opacity|stroke|stroke-width|stroke-linecap|stroke-linejoin|stroke-miterlimit"
    "|stroke-dasharray|stroke-dashoffset|stroke-opacity|opacity|color|clip-path|clip-rule|mask|mask-type|offset"
    "|stop-color|stop-opacity|gradientUnits|gradientTransform|spreadMethod|clipPathUnits|maskUnits"
    "|maskContentUnits|style|display|visibility|overflow|vector-effect|shape-rendering|paint-order|pathLength"
    "|isolation|mix-blend-mode"
)
_PAINTS = frozenset({"fill", "stroke", "href"})
"""What may refer to another part of the picture inside a mask: a gradient, which holds no further reference."""
_MASKS = frozenset({"mask", "clipPath"})
_INSIDE = re.compile(r"#[\w.:-]{1,200}")
_ADDRESS = re.compile(r"url\s*\(\s*([^)]*)\)", re.IGNORECASE)
_ACTIVE = re.compile(r"[\\@<>&]|/\*|expression|javascript|behavior|binding|image-set|src\s*\(", re.IGNORECASE)
_LENGTH = re.compile(r"\s*\+?(\d{1,7}(?:\.\d{1,9})?|\.\d{1,9})(?:px|pt|mm|cm|in|pc)?\s*")
_UNITS = {"pt": 4 / 3, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96.0, "pc": 16.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorPicture:
    """The picture as UTF-8 SVG, and its proportions."""

    content: bytes = field(repr=False)
    width: float
    height: float


def read_svg(content: bytes) -> VectorPicture:
    """The shapes of an SVG file. Raises FormatError for what is not SVG, and for what is more than shapes."""
    writer = _Writer()
    parser = XMLParser(target=writer)  # noqa: S314 - document types, and with them entities, are refused
    try:
        parser.feed(content)
        parser.close()
    except ParseError as error:
        line, column = error.position
        raise FormatError("neither PNG nor XML", code="svg-invalid", where=f"line {line}, {column}") from None
    except (ValueError, LookupError):  # an encoding that is not known
        raise FormatError("neither PNG nor XML: its encoding is not known", code="svg-invalid") from None
    return writer.picture()


class _Writer:
    """What expat calls; XMLParser looks its methods up by name."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._open: list[str] = []
        self._left_out = 0
        self._elements = 0
        self._size: tuple[float, float] | None = None

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise _refused("a document type", "DOCTYPE")

    def pi(self, target: str, data: str | None = None) -> None:
        raise _refused("a processing instruction", target)

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._elements += 1
        name = tag.removeprefix(_SVG)
        if self._elements > ELEMENTS_MAX or len(self._open) + self._left_out >= DEPTH_MAX:
            raise FormatError("more, or more deeply nested, elements than a logo needs", code="limit-exceeded")
        if self._elements == 1 and tag != f"{_SVG}svg":
            raise FormatError("neither PNG nor SVG", code="svg-invalid", where=tag[:100])
        if self._left_out or not tag.startswith(_SVG) or name in _NOTES:
            if tag.rpartition("}")[2].lower() == "script":
                raise _refused("a script", tag[:100])
            self._left_out += 1
            return
        if not _SHAPES.fullmatch(name):
            raise _refused("an element that is no shape", name[:100])
        kept = _attributes(name, attributes, masked=bool(_MASKS.intersection(self._open)))
        if self._elements == 1:
            self._size = _size(kept)
            kept = {"xmlns": _SVG[1:-1], **kept}
        self._parts.append("".join([f"<{name}", *(f" {key}={quoteattr(value)}" for key, value in kept.items()), ">"]))
        self._open.append(name)

    def data(self, text: str) -> None:
        """Text between shapes shows nothing."""

    def end(self, tag: str) -> None:
        if self._left_out:
            self._left_out -= 1
            return
        self._parts.append(f"</{self._open.pop()}>")

    def close(self) -> None:
        """The document is over."""

    def picture(self) -> VectorPicture:
        if self._size is None:
            raise FormatError("neither PNG nor SVG", code="svg-invalid")
        return VectorPicture(content="".join(self._parts).encode(), width=self._size[0], height=self._size[1])


def _attributes(element: str, attributes: Mapping[str, str], *, masked: bool) -> dict[str, str]:
    """Those that draw, in alphabetical order; `masked` says that they are inside a mask or a clipping path."""
    kept: dict[str, str] = {}
    for key, value in sorted(attributes.items()):
        name = "href" if key == _XLINK_HREF else key
        if name.lower().startswith("on"):
            raise _refused("an event handler", f"{element} {name[:100]}")
        if name == "href" and not _INSIDE.fullmatch(value.strip()):
            raise _refused("a reference out of the picture", element)
        if not _ATTRIBUTES.fullmatch(name):
            continue
        inside = [_INSIDE.fullmatch(to.strip().strip("\"'")) is not None for to in _ADDRESS.findall(value)]
        if _ACTIVE.search(value) or not all(inside) or len(inside) != value.lower().count("url"):
            raise _refused("a value that could load or run something", f"{element} {name}")
        if inside and masked and name not in _PAINTS:
            raise _refused("a mask inside a mask", element)
        kept[name] = value.strip() if name == "href" else value
    return kept


def _size(attributes: Mapping[str, str]) -> tuple[float, float]:
    """Width and height by attributes, else by the view box."""
    sides = [_LENGTH.fullmatch(attributes.get(name, "")) for name in ("width", "height")]
    if sides[0] and sides[1]:
        width, height = (_pixels(side.group()) for side in sides if side)
    else:
        box = re.split(r"[\s,]+", attributes.get("viewBox", "").strip())
        try:
            width, height = (float(part) for part in box[2:4])
        except ValueError:
            raise FormatError("an SVG that says neither its size nor its view box", code="svg-invalid") from None
    if not (math.isfinite(width) and math.isfinite(height) and 0 < width < 1e7 and 0 < height < 1e7):
        raise FormatError("an SVG without a size", code="svg-invalid")
    return width, height


def _pixels(length: str) -> float:
    text = length.strip()
    unit = next((unit for unit in _UNITS if text.endswith(unit)), "")
    return float(text.removesuffix(unit).removesuffix("px")) * _UNITS.get(unit, 1.0)


def _refused(what: str, where: str) -> FormatError:
    return FormatError(
        f"the SVG has {what}", code="svg-refused", where=where, hint="export it as plain shapes, texts as paths"
    )
