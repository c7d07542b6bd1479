"""Advice as a document, a table, Markdown and a Dockerfile: complete, printable, without secrets."""

from __future__ import annotations

import json

from compliance.formats.dockerfile import parse_dockerfile
from compliance.model.advice import Advice, CompatibilityAdvice, Gap, Impact, Obstacle, Place, Proposal, Subject
from reports.advice import document, render_dockerfile, render_json, render_markdown, render_table, where

PLACE = Place(path="run.sh", layer=1, line=7, text="exec app --token=hunter2 \x1b[31m")
SUBJECT = Subject(reference="oci-dir:image", digest="sha256:" + "1" * 64, platform="linux/amd64")


def advice(*items: Advice, gaps: tuple[Gap, ...] = (), proposal: Proposal | None = None) -> CompatibilityAdvice:
    return CompatibilityAdvice(
        subject=SUBJECT,
        target=None,
        dockerfile=None,
        advice=items,
        gaps=gaps,
        proposal=proposal,
        debugging=("attach a debug container",),
    )


def item(impact: Impact, *places: Place) -> Advice:
    return Advice(
        id="shell-form", impact=impact, what="It is `so`.", places=places or (PLACE,), way_out="Do <b>this</b>."
    )


def test_the_outcome_is_the_gravest() -> None:
    def outcome(given: CompatibilityAdvice) -> object:
        return document(given)["summary"]["outcome"]

    assert outcome(advice()) == "nothing-breaks"
    assert outcome(advice(item(Impact.MAY_BREAK), gaps=(Gap(what="x"),))) == "nothing-breaks"
    assert outcome(advice(gaps=(Gap(what="x", decisive=True),))) == "not-determined"
    assert outcome(advice(item(Impact.BREAKS), gaps=(Gap(what="x", decisive=True),))) == "breaks"


def test_the_document_counts_and_keeps_every_place() -> None:
    shape = document(advice(item(Impact.BREAKS), item(Impact.IMPROVE), gaps=(Gap(what="x"),)))
    assert {key: shape["summary"][key] for key in ("breaks", "mayBreak", "improve", "notDetermined")} == {
        "breaks": 1,
        "mayBreak": 0,
        "improve": 1,
        "notDetermined": 1,
    }
    assert json.loads(render_json(shape)) == shape
    place = shape["advice"][0]["places"][0]
    assert (place["path"], place["layer"], place["line"]) == ("/run.sh", 1, 7)
    assert where(place) == "/run.sh:7 (layer 2)"


def test_secrets_and_control_characters_are_in_no_format() -> None:
    proposal = Proposal(text='FROM a\nENTRYPOINT ["x", "--password=hunter2"]\n# \x1b]0;x\n')
    shape = document(advice(item(Impact.BREAKS), proposal=proposal))
    for content in (render_json(shape), render_table(shape), render_markdown(shape), render_dockerfile(shape)):
        assert b"hunter2" not in content
        assert b"\x1b" not in content


def test_the_table_shows_obstacles_and_the_dockerfile_as_it_is() -> None:
    obstacle = Obstacle(place=PLACE, reason="a condition", way_out="decide while building")
    long = "COPY --from=application --chown=0:0 /" + "x" * 120 + " /y"
    proposal = Proposal(
        text=f"FROM a\n{long}\n", obstacles=(obstacle,), left_out=("a link",), run_with=("--read-only",)
    )
    text = render_table(document(advice(item(Impact.BREAKS), proposal=proposal)), width=60).decode()
    assert long in text, "a line of a Dockerfile is not broken"
    assert "a condition. Way out: decide while building." in text
    assert "BREAKS" in text.splitlines()[0]
    assert "\x1b[" in render_table(document(advice(item(Impact.BREAKS))), color=True).decode()


def test_markdown_can_not_be_made_to_show_markup_or_to_end_the_code() -> None:
    text = render_markdown(document(advice(item(Impact.BREAKS), proposal=Proposal(text="FROM a\n# ````\n")))).decode()
    assert "<b>" not in text
    assert "\n`````dockerfile\nFROM a\n# ````\n`````\n" in text


def test_without_a_proposal_the_dockerfile_is_a_comment() -> None:
    assert render_dockerfile(document(advice())).startswith(b"#")


def test_the_dockerfile_is_the_proposal() -> None:
    shape = document(advice(proposal=Proposal(text="FROM scratch\nUSER 65532:65532\n")))
    assert [stage.base for stage in parse_dockerfile(render_dockerfile(shape)).stages] == ["scratch"]
