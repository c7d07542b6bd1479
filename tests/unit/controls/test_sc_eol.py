"""SC-EOL and its table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from compliance.errors import PolicyError
from compliance.model.evidence import Evidence
from compliance.model.filesystem import Unread
from compliance.model.image import ImageConfig
from compliance.model.inventory import Distribution, Inventory, Package
from compliance.model.outcome import Failed, NotApplicable, OutcomeWord, Passed, Unknown, outcome_word
from compliance.model.request import ContentRequest
from controls.checks.sc_eol import CHECK as SC_EOL
from controls.end_of_life import end_of_life, parse_end_of_life
from tests.builders.evidence import Node, evidence

CUT = (Unread(path="", reason="the layer is cut short", layer=0),)
OS_RELEASE = ContentRequest(name="os-release", globs=("etc/os-release",))


def assessed(
    id_: str | None = None,
    version: str | None = None,
    *,
    on: str = "2026-09-01",
    go: tuple[str, ...] = (),
    files: dict[str, Node | bytes | str] | None = None,
    **more: object,
) -> Evidence:
    packages = tuple(
        Package(
            name="stdlib", version=text, type="golang", purl=f"pkg:golang/stdlib@{text}", found_by="go", locations=()
        )
        for text in go
    )
    distribution = Distribution(id=id_, version_id=version) if id_ is not None else None
    inventory = Inventory(packages=packages, distribution=distribution)
    found = evidence(files or {}, inventory=inventory, requests=(OS_RELEASE,), **more)  # type: ignore[arg-type]
    return replace(found, assessed_at=datetime.fromisoformat(on).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("id_", "version", "on", "word"),
    [
        ("debian", "12", "2026-07-11", OutcomeWord.PASSED),
        ("debian", "12", "2026-07-12", OutcomeWord.PASSED),  # long-term support, which everybody gets
        ("debian", "12", "2028-07-01", OutcomeWord.FAILED),
        ("debian", "10", "2026-09-01", OutcomeWord.FAILED),
        ("debian", None, "2026-09-01", OutcomeWord.UNKNOWN),  # testing and unstable have no number
        ("debian", "99", "2026-09-01", OutcomeWord.UNKNOWN),
        ("ubuntu", "18.04", "2026-09-01", OutcomeWord.FAILED),  # what is supported further has to be paid for
        ("ubuntu", "24.04", "2026-09-01", OutcomeWord.PASSED),
        ("alpine", "3.24.1", "2026-09-01", OutcomeWord.PASSED),
        ("alpine", "3.10.9", "2026-09-01", OutcomeWord.FAILED),
        ("rhel", "9.6", "2026-09-01", OutcomeWord.PASSED),
        ("rhel", "7.9", "2026-09-01", OutcomeWord.FAILED),
        ("centos", "8", "2026-09-01", OutcomeWord.FAILED),
        ("amzn", "2023", "2026-09-01", OutcomeWord.PASSED),
        ("plan9", "4", "2026-09-01", OutcomeWord.UNKNOWN),
    ],
)
def test_the_operating_system(id_: str, version: str | None, on: str, word: OutcomeWord) -> None:
    assert outcome_word(SC_EOL.run(assessed(id_, version, on=on))) is word


def test_long_term_support_is_named_as_such() -> None:
    outcome = SC_EOL.run(assessed("debian", "12", on="2026-11-01"))
    assert isinstance(outcome, Passed)
    assert "regular support ended on 2026-07-11; Debian LTS goes on until 2028-06-30" in outcome.observations[0].summary


def test_every_go_release_in_the_image_counts() -> None:
    assert isinstance(SC_EOL.run(assessed(go=("1.26.2", "go1.27"))), Passed)
    outcome = SC_EOL.run(assessed("debian", "13", go=("1.26.2", "1.22.5")))
    assert isinstance(outcome, Failed)
    assert outcome.observations[0].package == "pkg:golang/stdlib@1.22.5"
    assert isinstance(SC_EOL.run(assessed(go=("devel",))), Unknown)


def test_a_release_without_announced_end_is_unknown_once_the_table_is_old() -> None:
    as_of = end_of_life().as_of
    assert isinstance(SC_EOL.run(assessed(go=("1.27.0",), on=as_of.isoformat())), Passed)
    later = date(as_of.year + 1, as_of.month, 1).isoformat()
    assert isinstance(SC_EOL.run(assessed(go=("1.27.0",), on=later)), Unknown)


@pytest.mark.parametrize(
    ("stated", "word"),
    [("2030-01-01", OutcomeWord.PASSED), ("2020-01-01", OutcomeWord.FAILED), ("soon", OutcomeWord.UNKNOWN)],
)
def test_the_end_that_os_release_states_counts_where_the_table_has_none(stated: str, word: OutcomeWord) -> None:
    files: dict[str, Node | bytes | str] = {"etc/os-release": f'ID=other\nSUPPORT_END="{stated}"\n'}
    assert outcome_word(SC_EOL.run(assessed("other", "1", files=files))) is word
    table = {"etc/os-release": "ID=debian\nSUPPORT_END=2099-01-01\n"}
    assert isinstance(SC_EOL.run(assessed("debian", "10", files={**table})), Failed)


def test_a_label_can_only_say_that_support_is_over() -> None:
    def labelled(text: str) -> Evidence:
        return assessed(config=ImageConfig(labels={"com.docker.dhi.date.end-of-life": text}))

    assert isinstance(SC_EOL.run(labelled("2020-01-01T00:00:00Z")), Failed)
    assert isinstance(SC_EOL.run(labelled("2099-01-01")), NotApplicable)
    assert isinstance(SC_EOL.run(labelled("never")), NotApplicable)


def test_less_evidence_is_unknown() -> None:
    assert isinstance(SC_EOL.run(assessed("debian", "13", unread=CUT)), Unknown)
    assert isinstance(SC_EOL.run(assessed("debian", "10", unread=CUT)), Failed)
    assert isinstance(SC_EOL.run(assessed(unread=CUT)), Unknown)
    assert isinstance(SC_EOL.run(assessed()), NotApplicable)


TABLE = b"""schema: 1
kind: end-of-life
as_of: "2026-08-22"
commit: abc
products:
  - id: x
    name: X
    ends: {"1": "2026-01-01", "1.2": open}
"""


def test_a_version_belongs_to_the_longest_release_that_fits() -> None:
    product = parse_end_of_life(TABLE).products["x"]
    assert [product.release(text) for text in ("1.2.3", "1.3", "1", "2", "")] == ["1.2", "1", "1", None, None]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2026-01-01", "soon"),
        ('as_of: "2026-08-22"', "as_of: x"),
        ("    name: X\n", ""),
        ("ends:", "end:"),
        ('{"1": "2026-01-01", "1.2": open}', "[]"),
        ('{"1": "2026-01-01", "1.2": open}', "{}"),
        ("open}", "open}\n    extended: {}"),
    ],
)
def test_a_damaged_table_is_an_error(old: str, new: str) -> None:
    text = TABLE.decode()
    assert old in text
    with pytest.raises(PolicyError):
        parse_end_of_life(text.replace(old, new).encode())
