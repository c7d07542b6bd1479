"""What a notebook shows of a value: one HTML fragment, capped, escaped, without scripts, links or style sheets.

It stands on the page's own background and in its own text colour, so that it fits light and dark ones; status words are
white on a dark field, which is legible on both. Styles are attributes: viewers that take out style elements keep them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from compliance.model.filesystem import display_path
from compliance.model.inventory import Inventory
from reports import findings, wording
from reports.document import Check, Document, Observation, Subject
from reports.text import clean, shortened

ROWS_MAX = 12
"""Rows of one table; what is more is counted."""
TEXT_MAX = 160
"""Characters of one cell."""

COLORS: Mapping[str, str] = {
    **dict.fromkeys(("passed", "supported", "satisfied", "verified", "holds"), "#17663a"),
    **dict.fromkeys(("failed", "contradicted", "invalid", "not-satisfied", "not-verified", "does-not-hold"), "#ad2119"),
    **dict.fromkeys(("unknown", "undetermined", "unchecked", "unsigned", "not-determined", "not-shown"), "#7d5200"),
    "errored": "#752a87",
    "not-applicable": "#5a6570",
}
"""The field behind each status word, as in the other reports."""

_BOX = "border:1px solid #8795a1;border-radius:6px;padding:10px 14px;margin:4px 0;max-width:72em;line-height:1.45"
_CHIP = "display:inline-block;padding:0 .5em;border-radius:3px;color:#fff;font-weight:600;white-space:nowrap"
_CELL = "text-align:left;vertical-align:top;padding:2px 12px 2px 0;border:0;background:none;white-space:normal"
_HEAD = f"{_CELL};font-weight:600;white-space:nowrap"
_LAST = f"{_CELL};overflow-wrap:anywhere"
_TABLE = "border-collapse:collapse;border:0;margin:6px 0 0;background:none"
_MUTED = "opacity:.75"
_MONO = "font-family:ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;font-size:.92em"


def assessment(document: Document) -> str:
    """The verdict and why, what it is about, what failed, what is undetermined, and the controls by status."""
    summary, subject = document["summary"], document["subject"]
    failed, undetermined = findings.failed(document), findings.undetermined(document)
    parts = [
        _line(f"{_chip(summary['outcome'], wording.VERDICTS)} {_bold(subject['reference'])}"),
        _line(_text(wording.verdict_sentence(document), 400)),
        _facts(
            ("image", _mono(subject["digest"]) + (f" {_text(subject['platform'])}" if subject["platform"] else "")),
            ("as of", _text(f"{wording.minute(document['effectiveTime'])}, profile {document['profile']['id']}")),
            ("checks", _counts(findings.outcome_counts(document["checks"]), findings.OUTCOMES, wording.OUTCOMES)),
            ("packages", _text(f"{document['inventory']['packages']:,}")),
            ("signatures", _signed(document)),
        ),
        _checks("Failed", failed, "…to_frame() has every check"),
        _checks("Accepted by a waiver", findings.waived(document), ""),
        _checks("Not determined", undetermined, ""),
        _controls(document),
    ]
    return _box(parts)


def check(check: Check) -> str:
    """The question, the answer, what was seen, and what that proves and does not prove."""
    seen = findings.telling(check)
    parts = [
        _line(f"{_chip(check['outcome'], wording.OUTCOMES)} {_bold(check['id'])} {_text(check['title'])}"),
        _line(_text(check["reason"], 400)) if check["reason"] else "",
        _facts(
            ("severity", _text(check["severity"])),
            ("looks at", _text(check["looksAt"], 600)),
            ("proves", _text(check["proves"], 600)),
            ("to mend it", _text(check["remediation"], 600)) if check["outcome"] == "failed" else ("", ""),
        ),
        _table(("what was seen", "where", "layer"), map(_seen, seen[:ROWS_MAX]), len(seen)),
    ]
    return _box(parts)


def inventory(found: Inventory) -> str:
    """How many packages of which ecosystems, where there may be more, and the first of them."""
    types = Counter(package.type for package in found.packages)
    distribution = found.distribution
    named = "" if distribution is None else distribution.pretty_name or distribution.id
    unknowns = [[_mono(display_path(one.path)), _text(one.reason)] for one in found.unknowns[:ROWS_MAX]]
    rows = (
        [
            _text(package.name),
            _text(package.version),
            _text(package.type),
            _mono(display_path(package.locations[0].path)) if package.locations else "",
        ]
        for package in found.packages[:ROWS_MAX]
    )
    parts = [
        _line(f"{_bold(wording.count(len(found.packages), 'package'))} {_text(named)}"),
        _facts(*((_text(kind), _text(f"{number:,}")) for kind, number in types.most_common(ROWS_MAX))),
        _table(("could not be read", "why"), unknowns, len(found.unknowns)),
        _table(("name", "version", "type", "stated by"), rows, len(found.packages)),
    ]
    return _box(parts)


def image(subject: Subject) -> str:
    """What an image says of itself: its digest is checked, the rest are claims of whoever built it."""
    config = subject["config"]
    layers = [[_mono(layer["digest"]), _text(wording.size(layer["size"]))] for layer in subject["layers"][:ROWS_MAX]]
    claimed = () if config is None else (("user", _user(config["user"])), ("entry point", _words(config["entrypoint"])))
    also = () if config is None else (("command", _words(config["cmd"])), ("created", _text(config["created"] or "")))
    parts = [
        _line(_bold(subject["reference"])),
        _facts(("digest", _mono(subject["digest"])), ("platform", _text(subject["platform"] or "")), *claimed, *also),
        _table(("layer", "stored"), layers, len(subject["layers"])),
    ]
    return _box(parts)


def evidence(place: str, outcome: str, digest: str, key_id: str | None, found: Sequence[tuple[str, str, str]]) -> str:
    """Whether evidence holds; what is wrong first, then what is not shown. `found` are what, verdict and reason."""
    words = {"holds": "HOLDS", "not-shown": "NOT SHOWN", "does-not-hold": "DOES NOT HOLD"}
    counts = Counter(verdict for _, verdict, _ in found)
    first = sorted(found, key=lambda one: ("invalid", "unchecked").index(one[1]) if one[1] != "verified" else 2)
    rows = (
        [_chip(verdict, wording.SIGNATURE_VERDICTS), _mono(what), _text(reason, 240)]
        for what, verdict, reason in first[:ROWS_MAX]
    )
    parts = [
        _line(f"{_chip(outcome, words)} {_bold(place)}"),
        _facts(
            ("about image", _mono(digest)),
            ("signed with key", _mono(key_id) if key_id else _text("none")),
            ("looked at", _counts(counts, ("verified", "invalid", "unchecked"), wording.SIGNATURE_VERDICTS)),
        ),
        _table(("verdict", "what", "why"), rows, len(found)),
    ]
    return _box(parts)


def frames(title: str, facts: Iterable[tuple[str, str]]) -> str:
    """A store of frames: what it is, and how much there is in each."""
    return _box([_line(_bold(title)), _facts(*((_text(name), _text(value)) for name, value in facts))])


def _checks(title: str, checks: Sequence[Check], rest: str) -> str:
    if not checks:
        return ""
    rows = (
        [
            _chip(check["outcome"], wording.OUTCOMES),
            _mono(check["id"], "white-space:nowrap"),
            _text(check["severity"]),
            _text(check["title"]),
            _text(_first(check), TEXT_MAX),
        ]
        for check in checks[:ROWS_MAX]
    )
    heads = ("outcome", "check", "severity", "question", "seen first")
    return (
        f'<div style="margin-top:8px">{_bold(f"{title}: {len(checks)}")}</div>{_table(heads, rows, len(checks), rest)}'
    )


def _first(check: Check) -> str:
    """The reason, else the most telling thing that was seen."""
    seen = findings.telling(check)
    if check["reason"] or not seen:
        return check["reason"] or ""
    path, summary = wording.seen(seen[0])
    more = f" (and {len(seen) - 1} more)" if len(seen) > 1 else ""
    return f"{path} {summary}".strip() + more


def _seen(observation: Observation) -> list[str]:
    layer = observation["layer"]
    return [
        _text(observation["summary"], 240),
        _mono(observation["path"] or observation["package"] or ""),
        _mono(wording.short_digest(layer)) if layer else "",
    ]


def _controls(document: Document) -> str:
    rows = []
    for framework in document["frameworks"][:ROWS_MAX]:
        counts = findings.status_counts(findings.of_framework(document, framework["id"]))
        rows.append([_text(framework["name"]), _counts(counts, findings.STATUSES, wording.STATUSES)])
    return _table(("controls of", "what the checks say about them"), rows, len(document["frameworks"]))


def _signed(document: Document) -> str:
    verification = document["verification"]
    counts = Counter(one["verdict"] for one in (*verification["signatures"], *verification["attestations"]))
    if not counts:
        return _text("none found")
    told = _counts(counts, tuple(wording.SIGNATURE_VERDICTS), wording.SIGNATURE_VERDICTS)
    return (
        told if verification["demand"]["made"] or verification["policy"] else f"{told} — {_text('nobody is trusted')}"
    )


def _user(user: str | None) -> str:
    return _text(user) if user else _text("none named: root")


def _words(arguments: Iterable[str]) -> str:
    return _mono(" ".join(arguments))


def _counts(counts: Mapping[str, int], order: Iterable[str], words: Mapping[str, str]) -> str:
    return " &nbsp;".join(f"{_chip(one, words)} {counts[one]:,}" for one in order if counts.get(one))


def _chip(word: str, words: Mapping[str, str]) -> str:
    mark = wording.MARKS.get(word, "")
    label = f"{mark} {words.get(word, word)}".strip()
    return f'<span style="{_CHIP};background:{COLORS.get(word, "#5a6570")}">{escape(label)}</span>'


def _facts(*pairs: tuple[str, str]) -> str:
    rows = "".join(
        f'<tr style="background:none"><td style="{_CELL};{_MUTED};white-space:nowrap">{name}</td>'
        f'<td style="{_LAST}">{value}</td></tr>'
        for name, value in pairs
        if value
    )
    return f'<table style="{_TABLE}">{rows}</table>' if rows else ""


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], total: int, rest: str = "") -> str:
    """Cells are HTML already, heads are not. Nothing where there are no rows."""
    styles = [_CELL] * (len(heads) - 1) + [_LAST]
    cells = [
        "".join(f'<td style="{style}">{cell}</td>' for style, cell in zip(styles, row, strict=True)) for row in rows
    ]
    if not cells:
        return ""
    head = "".join(f'<th style="{_HEAD}">{escape(name)}</th>' for name in heads)
    body = "".join(f'<tr style="background:none">{row}</tr>' for row in cells)
    more = f"{total - len(cells):,} more" + (f"; {rest}" if rest else "") if total > len(cells) else ""
    note = f'<div style="{_MUTED}">{escape(more)}</div>' if more else ""
    return f'<table style="{_TABLE}"><tr style="background:none">{head}</tr>{body}</table>{note}'


def _box(parts: Iterable[str]) -> str:
    return f'<div style="{_BOX}">{"".join(parts)}</div>'


def _line(content: str) -> str:
    return f"<div>{content}</div>"


def _bold(text: str) -> str:
    return f"<b>{_text(text)}</b>"


def _mono(text: str, style: str = "") -> str:
    return f'<span style="{_MONO};{style}">{_text(text)}</span>' if text else ""


def _text(text: str, limit: int = TEXT_MAX) -> str:
    """Cleaned, shortened and escaped; isolated, so that right-to-left text can't reorder what stands beside it."""
    return f"<bdi>{escape(shortened(clean(text), limit))}</bdi>" if text else ""
