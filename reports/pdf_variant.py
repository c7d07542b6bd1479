"""PDF/A-3a (ISO 19005-3) and PDF/UA-1 (ISO 14289-1) in one file, which WeasyPrint offers apart only.

Its registry of variants is no public interface: a test holds this to the version that is installed.
"""

from __future__ import annotations

from typing import Any

NAME = "pdf/a-3a+ua-1"
"""WeasyPrint asks whether ``pdf/a`` is in a variant's name."""

_PDF_UA = b"""<rdf:Description xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/" rdf:about=""\
><pdfuaid:part>1</pdfuaid:part></rdf:Description>\
<rdf:Description xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/" \
xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#" \
rdf:about=""><pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">\
<pdfaSchema:schema>PDF/UA identification schema</pdfaSchema:schema>\
<pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI>\
<pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix><pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource">\
<pdfaProperty:name>part</pdfaProperty:name><pdfaProperty:valueType>Integer</pdfaProperty:valueType>\
<pdfaProperty:category>internal</pdfaProperty:category>\
<pdfaProperty:description>Part of ISO 14289 that the file conforms to</pdfaProperty:description>\
</rdf:li></rdf:Seq></pdfaSchema:property></rdf:li></rdf:Bag></pdfaExtension:schemas></rdf:Description>"""
"""What says so in the metadata, and the schema (ISO 19005-3, 6.6.2.3.3) that PDF/A demands for such a statement."""

_END = b"</rdf:RDF>"


def register() -> str:
    """Make the variant known to WeasyPrint; its name."""
    from weasyprint.pdf import VARIANTS

    settings = {"pdf_version": "1.7", "pdf_identifier": True, "output_intent": "srgb", "pdf_tags": True}
    VARIANTS[NAME] = (_conform, settings)
    return NAME


def _conform(pdf: Any, document: Any, page_streams: Any, attachments: Any, compress: bool) -> None:
    from weasyprint.pdf.pdfa import pdfa

    pdfa(pdf, document, page_streams, attachments, compress, version=3, variant="A")
    # Each file once: WeasyPrint lists those in the tree of names twice.
    pdf.catalog["AF"] = type(pdf.catalog["AF"])(dict.fromkeys(pdf.catalog["AF"]))
    (metadata,) = (one for one in pdf.objects if getattr(one, "extra", {}).get("Type") == "/Metadata")
    metadata.stream = [_with_pdf_ua(content) for content in metadata.stream]


def _with_pdf_ua(metadata: bytes) -> bytes:
    """The statement goes into the first block of RDF: validators read no second one."""
    before, end, after = metadata.partition(_END)
    if not end:
        raise ValueError("the metadata holds no RDF")
    return before + _PDF_UA + end + after
