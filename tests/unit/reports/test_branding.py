"""What an organisation adds to a report, and which logos are let in."""

import contextlib
import io
import struct
import zlib
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from compliance.errors import UsageError
from reports.branding import CONTACTS_MAX, LINE_MAX, LOGO_SIZE_MAX, NO_BRANDING, SCOPE_MAX, read_branding, read_logo

SVG = 'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20"'


def png(mode: str = "RGBA", size: tuple[int, int] = (6, 4), **settings: object) -> bytes:
    content = io.BytesIO()
    Image.new(mode, size, 1).save(content, "PNG", **settings)
    return content.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_nothing_given_is_no_branding() -> None:
    assert read_branding() == NO_BRANDING
    assert read_branding(title=" \n ", scope="\n\n", contacts=("",)) == NO_BRANDING


def test_texts_are_lines_fit_to_print() -> None:
    branding = read_branding(title="A\nB\x1b[31m", scope="One\ntwo.\n\n\u202ethree", contacts=(" c ",))
    assert branding.title == "A B\\x1b[31m"
    assert branding.scope == ("One two.", "\\u202ethree")
    assert branding.contacts == ("c",)


@pytest.mark.parametrize(
    "given",
    [
        {"title": "x" * (LINE_MAX + 1)},
        {"classification": "x" * (LINE_MAX + 1)},
        {"scope": "x" * (SCOPE_MAX + 1)},
        {"contacts": ("x",) * (CONTACTS_MAX + 1)},
    ],
)
def test_what_has_no_place_on_a_page_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        read_branding(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_a_png_is_let_in_with_its_pixels(mode: str) -> None:
    content = png(mode)
    logo = read_logo(content)
    assert (logo.media_type, logo.width, logo.height) == ("image/png", 6, 4)
    with Image.open(io.BytesIO(logo.content)) as kept, Image.open(io.BytesIO(content)) as given:
        assert kept.tobytes() == given.tobytes()


def test_what_a_png_says_beside_its_pixels_is_left_out() -> None:
    said = PngImagePlugin.PngInfo()
    said.add_text("Author", "somebody")
    logo = read_logo(png(pnginfo=said, dpi=(300, 300)))
    assert b"somebody" not in logo.content
    assert b"pHYs" not in logo.content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a",
        png()[:-1],
        png()[:40],
        png(size=(5000, 1)),
        png().replace(b"IDAT", b"IDAX"),
        png()[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 4000, 4000, 8, 6, 0, 0, 0)) + png()[33:],
        png()[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 6, 4, 3, 6, 0, 0, 0)) + png()[33:],
        png()[:8] + chunk(b"IHDR", b"short") + png()[33:],
        b"\x89PNG\r\n\x1a\n" + b"\0" * (LOGO_SIZE_MAX + 1),
    ],
    ids=lambda content: f"{len(content)}-{zlib.crc32(content):08x}",
)
def test_a_damaged_or_outsized_picture_is_refused(content: bytes) -> None:
    with pytest.raises(UsageError):
        read_logo(content)


@given(st.data())
def test_no_flipped_bit_of_a_png_makes_another_error_than_a_refusal(data: st.DataObject) -> None:
    content = bytearray(png())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        read_logo(bytes(content))
    except UsageError:
        return
    pytest.fail("a damaged picture was let in")


def test_shapes_are_written_anew() -> None:
    logo = read_logo(
        f"""<?xml version="1.0"?><!-- drawn --><svg {SVG} class="x" xmlns:tool="urn:tool" tool:note="kept by a tool">
        <metadata><tool:who>somebody</tool:who></metadata><title>Logo</title>
        <defs><linearGradient id="a"><stop offset="0" stop-color="red"/></linearGradient></defs>
        <path d="M0 0h40v20z" fill="url(#a)" tool:label="x"/></svg>""".encode()
    )
    assert (logo.media_type, logo.width, logo.height) == ("image/svg+xml", 40, 20)
    text = logo.content.decode()
    assert "somebody" not in text
    assert "tool" not in text
    assert "class" not in text
    assert '<path d="M0 0h40v20z" fill="url(#a)"></path>' in text
    ElementTree.fromstring(text)  # noqa: S314 - what we wrote
    assert read_logo(logo.content) == logo


def test_width_and_height_come_before_the_view_box() -> None:
    logo = read_logo(b'<svg xmlns="http://www.w3.org/2000/svg" width="1in" height="48px" viewBox="0 0 1 1"/>')
    assert (logo.width, logo.height) == (96, 48)


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        "<a xmlns:x='http://www.w3.org/1999/xlink' x:href='https://example.org'><rect/></a>",
        "<image href='https://example.org/x.png'/>",
        "<image href='data:image/png;base64,AAAA'/>",
        "<use href='https://example.org/x.svg#a'/>",
        "<use href='#a'/>",
        "<foreignObject><p xmlns='http://www.w3.org/1999/xhtml'>x</p></foreignObject>",
        "<style>@import 'https://example.org'</style>",
        "<text>words</text>",
        "<animate attributeName='href'/>",
        "<set attributeName='onload' to='x'/>",
        "<filter id='f'/>",
        "<rect onload='alert(1)'/>",
        "<rect ONCLICK='alert(1)'/>",
        "<rect fill='url(https://example.org/#a)'/>",
        "<rect style='fill:url(https://example.org/#a)'/>",
        "<rect style='fill:u\\72l(//example.org)'/>",
        "<rect style='fill:url(#a);background:url(//example.org)'/>",
        "<rect style='background:url /**/ (//example.org)'/>",
        "<rect style='behavior:x'/>",
        "<linearGradient href='other.svg#a'/>",
        "<linearGradient xmlns:x='http://www.w3.org/1999/xlink' x:href='//example.org#a'/>",
        "<mask id='m'><rect mask='url(#m)'/></mask>",
        "<clipPath id='m'><rect style='clip-path:url(#m)'/></clipPath>",
        "<h:script xmlns:h='http://www.w3.org/1999/xhtml'>alert(1)</h:script>",
        "<metadata><script>alert(1)</script></metadata>",
        "<?php x ?>",
        "<g>" * 70 + "</g>" * 70,
        "<g/>" * 5001,
        "<g>",
    ],
)
def test_an_svg_that_is_more_than_shapes_is_refused(inside: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_logo(f"<svg {SVG}>{inside}</svg>".encode())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        f"<svg {SVG} onload='x'/>",
        f"<!DOCTYPE svg [<!ENTITY a 'b'>]><svg {SVG}>&a;</svg>",
        f"<?xml-stylesheet href='https://example.org/x.css'?><svg {SVG}/>",
        "<svg viewBox='0 0 1 1'/>",
        "<html xmlns='http://www.w3.org/1999/xhtml'/>",
        '<svg xmlns="http://www.w3.org/2000/svg"/>',
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 0 9"/>',
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 nan 9"/>',
        '<?xml version="1.0" encoding="x-none"?><svg/>',
    ],
)
def test_what_is_no_svg_of_a_size_is_refused(content: str) -> None:
    with pytest.raises(UsageError):
        read_logo(content.encode())


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_let_in_or_refused(content: bytes) -> None:
    for prefix in (b"", b"\x89PNG\r\n\x1a\n", b"<svg "):
        with contextlib.suppress(UsageError):  # and nothing else
            read_logo(prefix + content)
