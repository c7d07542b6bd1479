"""CycloneDX in XML and back: the values of its JSON form, element by element, by one table.

The table holds what this project writes and reads. What a document has besides is passed over when it is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any
from xml.etree.ElementTree import ParseError, TreeBuilder, XMLParser

from compliance.errors import FormatError

NAMESPACE = "http://cyclonedx.org/schema/bom/"
DEPTH_MAX = 256
NOT_READ = ("services", "vulnerabilities", "annotations", "formulation", "declarations", "definitions", "citations")
"""Parts that an inventory has no place for. From XML they are lists of nothing, to be counted."""

_CODE = "sbom-invalid"
_SECTION = 2  # depth of the children of bom
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class _Shape:
    """An element: JSON keys that are attributes, the key of its text, and its children in order.

    A child is (JSON key, tag, shape) for one element, (key, tag, shape, True) for one repeated without a list
    around it, and (key, tag, shape, "item") for a list of ``item`` elements. A shape of None is plain text.
    """

    attributes: tuple[str, ...] = ()
    text: str | None = None
    children: tuple[tuple[Any, ...], ...] = ()
    number: tuple[str, ...] = field(default=())


_HASH = _Shape(attributes=("alg",), text="content")
_PROPERTY = _Shape(attributes=("name",), text="value")
_CONTACT = _Shape(children=(("name", "name", None), ("email", "email", None)))
_ORGANISATION = _Shape(
    children=(("name", "name", None), ("url", "url", None, True), ("contact", "contact", _CONTACT, True))
)
_LICENSE = _Shape(attributes=("bom-ref", "acknowledgement"), children=(("id", "id", None), ("name", "name", None)))
_EXPRESSION = _Shape(attributes=("bom-ref", "acknowledgement"), text="expression")
_LICENSES = _Shape()  # a choice: see _write_licenses
_REFERENCE = _Shape(attributes=("type",), children=(("url", "url", None), ("hashes", "hashes", _HASH, "hash")))
_METHOD = _Shape(
    children=(("technique", "technique", None), ("confidence", "confidence", None), ("value", "value", None)),
    number=("confidence",),
)
_IDENTITY = _Shape(
    children=(
        ("field", "field", None),
        ("confidence", "confidence", None),
        ("concludedValue", "concludedValue", None),
        ("methods", "methods", _METHOD, "method"),
    ),
    number=("confidence",),
)
_OCCURRENCE = _Shape(children=(("location", "location", None), ("additionalContext", "additionalContext", None)))
_EVIDENCE = _Shape(
    children=(
        ("identity", "identity", _IDENTITY, True),
        ("occurrences", "occurrences", _OCCURRENCE, "occurrence"),
        ("licenses", "licenses", _LICENSES),
    )
)
_COMPONENT = _Shape(attributes=("type", "mime-type", "bom-ref"))  # children: see below, it contains itself
_COMPONENT_CHILDREN: tuple[tuple[Any, ...], ...] = (
    ("supplier", "supplier", _ORGANISATION),
    ("manufacturer", "manufacturer", _ORGANISATION),
    ("authors", "authors", _CONTACT, "author"),
    ("author", "author", None),
    ("publisher", "publisher", None),
    ("group", "group", None),
    ("name", "name", None),
    ("version", "version", None),
    ("description", "description", None),
    ("scope", "scope", None),
    ("hashes", "hashes", _HASH, "hash"),
    ("licenses", "licenses", _LICENSES),
    ("cpe", "cpe", None),
    ("purl", "purl", None),
    ("externalReferences", "externalReferences", _REFERENCE, "reference"),
    ("properties", "properties", _PROPERTY, "property"),
    ("components", "components", _COMPONENT, "component"),
    ("evidence", "evidence", _EVIDENCE),
)
_TOOLS = _Shape(children=(("components", "components", _COMPONENT, "component"),))
_METADATA = _Shape(
    children=(
        ("timestamp", "timestamp", None),
        ("lifecycles", "lifecycles", _Shape(children=(("phase", "phase", None),)), "lifecycle"),
        ("tools", "tools", _TOOLS),
        ("authors", "authors", _CONTACT, "author"),
        ("component", "component", _COMPONENT),
        ("manufacturer", "manufacturer", _ORGANISATION),
        ("manufacture", "manufacture", _ORGANISATION),
        ("supplier", "supplier", _ORGANISATION),
        ("licenses", "licenses", _LICENSES),
        ("properties", "properties", _PROPERTY, "property"),
    )
)
_LINK = _Shape(attributes=("ref",))  # a bare reference: text in JSON
_DEPENDENCY = _Shape(attributes=("ref",), children=(("dependsOn", "dependency", _LINK, True),))
_COMPOSITION = _Shape(
    attributes=("bom-ref",),
    children=(
        ("aggregate", "aggregate", None),
        ("assemblies", "assemblies", _LINK, "assembly"),
        ("dependencies", "dependencies", _LINK, "dependency"),
    ),
)
_BOM = _Shape(
    attributes=("serialNumber", "version"),
    children=(
        ("metadata", "metadata", _METADATA),
        ("components", "components", _COMPONENT, "component"),
        ("dependencies", "dependencies", _DEPENDENCY, "dependency"),
        ("compositions", "compositions", _COMPOSITION, "composition"),
        ("properties", "properties", _PROPERTY, "property"),
    ),
)


def _children(shape: _Shape) -> tuple[tuple[Any, ...], ...]:
    return _COMPONENT_CHILDREN if shape is _COMPONENT else shape.children


def write(values: Mapping[str, Any]) -> bytes:
    """The values of a JSON document as UTF-8 XML, one component a line."""
    body = "".join(_content(values, _BOM, newlines=True))
    attributes = _attributes(values, _BOM)
    start = f'<bom xmlns="{NAMESPACE}{values["specVersion"]}"{attributes}>'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{start}\n{body}</bom>\n'.encode()


def _content(value: Any, shape: _Shape, *, newlines: bool = False) -> Iterator[str]:
    end = "\n" if newlines else ""
    for key, tag, inner, *how in _children(shape):
        part = value.get(key)
        if part is None:
            continue
        if not how:
            yield _element(tag, part, inner) + end
        elif how[0] is True:
            yield from (_element(tag, item, inner) for item in part)
        else:
            items = end.join(_element(how[0], item, inner) for item in part)
            yield f"<{tag}>{end}{items}{end}</{tag}>{end}"


def _element(tag: str, value: Any, shape: _Shape | None) -> str:
    if shape is None:
        return f"<{tag}>{_text(value)}</{tag}>"
    if shape is _LINK:
        return f'<{tag} ref="{_text(value)}"/>'
    if shape is _LICENSES:
        return f"<{tag}>{''.join(_license(item) for item in value)}</{tag}>"
    inside = _text(value[shape.text]) if shape.text else "".join(_content(value, shape))
    return f"<{tag}{_attributes(value, shape)}>{inside}</{tag}>"


def _license(choice: Mapping[str, Any]) -> str:
    if "expression" in choice:
        return _element("expression", choice, _EXPRESSION)
    return _element("license", choice["license"], _LICENSE)


def _attributes(value: Mapping[str, Any], shape: _Shape) -> str:
    return "".join(f' {name}="{_text(value[name])}"' for name in shape.attributes if name in value)


def _text(value: Any) -> str:
    """Escaped for elements and attributes; what XML 1.0 has no character for becomes U+FFFD."""
    return escape(_NO_XML.sub("\ufffd", str(value)))


class _Builder(TreeBuilder):
    """A tree of bounded depth from a document without a document type: no entities, nothing fetched.

    The components of the document become values as they end: as elements they would take twice the memory.
    """

    def __init__(self) -> None:
        super().__init__()
        self.components: list[dict[str, Any]] = []
        self._depth = 0
        self._section = ""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Refuse it."""
        raise FormatError("an XML document type", code=_CODE, where="DOCTYPE")

    def start(self, tag: str, attrs: dict[Any, Any]) -> Any:
        """Count the depth, and know which part of the document this is."""
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise FormatError("XML that is nested too deeply", code="limit-exceeded", where=tag.rpartition("}")[2])
        if self._depth == _SECTION:
            self._section = tag.rpartition("}")[2]
        return super().start(tag, attrs)

    def end(self, tag: str) -> Any:
        """Count the depth, and take a finished component out of the tree."""
        self._depth -= 1
        element: Any = super().end(tag)
        if self._depth == _SECTION and self._section == "components" and tag.endswith("}component"):
            self.components.append(_values(element, _COMPONENT, tag.index("}") + 1))
            element.clear()
        return element


def read(content: bytes) -> dict[str, Any]:
    """The values that the JSON form of the document has, as far as the table goes. Raises FormatError."""
    builder = _Builder()
    parser = XMLParser(target=builder)  # noqa: S314 - document types are refused
    try:
        parser.feed(content)
        root = parser.close()
    except ParseError as error:
        line, column = error.position
        raise FormatError(
            f"not XML: {str(error).partition(':')[0]}", code=_CODE, where=f"line {line}, {column}"
        ) from None
    except ValueError as error:  # an encoding that is not known
        raise FormatError(f"not XML: {error}", code=_CODE, where="encoding") from None
    namespace, _, tag = root.tag.removeprefix("{").rpartition("}")
    if tag != "bom" or not namespace.startswith(NAMESPACE):
        raise FormatError("not a CycloneDX document", code=_CODE, where=f"<{tag[:80]}>")
    prefix = len(root.tag) - len(tag)
    values = _values(root, _BOM, prefix)
    values.update((child.tag[prefix:], [None] * len(child)) for child in root if child.tag[prefix:] in NOT_READ)
    if "components" in values:
        values["components"] = builder.components
    return {"bomFormat": "CycloneDX", "specVersion": namespace.removeprefix(NAMESPACE), **values}


def _values(element: Any, shape: _Shape, prefix: int) -> dict[str, Any]:
    """`prefix` is the length of the namespace in every tag."""
    values: dict[str, Any] = {name: element.attrib[name] for name in shape.attributes if name in element.attrib}
    if shape.text:
        values[shape.text] = (element.text or "").strip()
        return values
    if shape is _BOM:
        values.pop("version", None)
    table = {tag: (key, inner, how[0] if how else None) for key, tag, inner, *how in _children(shape)}
    for child in element:
        found = table.get(child.tag[prefix:])
        if found is None:
            continue
        key, inner, how = found
        if how is None:
            values[key] = _value(child, inner, prefix)
        elif how is True:
            values.setdefault(key, []).append(_value(child, inner, prefix))
        else:
            values[key] = [_value(item, inner, prefix) for item in child if item.tag[prefix:] == how]
    return values | {name: _number(values[name], name) for name in shape.number if name in values}


def _value(element: Any, shape: _Shape | None, prefix: int) -> Any:
    if shape is None:
        return (element.text or "").strip()
    if shape is _LINK:
        return element.attrib.get("ref", "")
    if shape is _LICENSES:
        return [
            _values(item, _EXPRESSION, prefix)
            if item.tag[prefix:] == "expression"
            else {"license": _values(item, _LICENSE, prefix)}
            for item in element
            if item.tag[prefix:] in ("expression", "license")
        ]
    return _values(element, shape, prefix)


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise FormatError("not a number", code=_CODE, where=where) from None
