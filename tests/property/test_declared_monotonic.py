"""Less evidence never improves a declared check: when places are unread, or contents were not kept."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from compliance.evaluate.rollup import roll_up
from compliance.model.control import Control, ControlLibrary, ControlStatus, Framework, MappedCheck, Relation
from compliance.model.filesystem import FileTree, Unread
from compliance.model.inventory import Inventory, Location, Package
from compliance.model.inventory import Unknown as UnknownPlace
from compliance.model.outcome import CheckResult, Failed, OutcomeWord, Severity, Trait, outcome_word
from controls.declared_check import Question
from controls.declared_file import FileQuestion, State
from controls.declared_package import Bound, PackageQuestion
from tests.builders.assessment import check
from tests.builders.evidence import Node, evidence, file, symlink, tree

NAMES = ("etc/a", "etc/b", "etc/d/c", "srv/a")
TEXTS = ("key", "user", "x")
WORDS = st.lists(st.sampled_from(TEXTS), max_size=2, unique=True).map(tuple)

nodes = st.dictionaries(
    st.sampled_from(NAMES),
    st.one_of(
        st.builds(
            file,
            st.lists(st.sampled_from(TEXTS), max_size=3).map(" ".join),
            st.sampled_from((0o600, 0o644, 0o4755, 0o666)),
            uid=st.sampled_from((0, 1000)),
            acl=st.booleans(),
        ),
        st.sampled_from(("/etc/a", "b", "/nowhere")).map(symlink),
    ),
)
files = st.builds(
    FileQuestion,
    paths=st.lists(st.sampled_from((*NAMES, "etc/*", "**/a", "etc/**")), min_size=1, max_size=2).map(tuple),
    state=st.just(State.ABSENT),
    contains=WORDS,
) | st.builds(
    FileQuestion,
    paths=st.lists(st.sampled_from((*NAMES, "etc/*", "**/a", "etc/**")), min_size=1, max_size=2).map(tuple),
    state=st.sampled_from((State.PRESENT, State.IF_PRESENT)),
    mode_at_most=st.sampled_from((None, 0o644)),
    uid=st.sampled_from((None, 0)),
    contains=WORDS,
    lacks=WORDS,
)
packages = st.lists(
    st.builds(
        lambda name, version: Package(
            name=name, version=version, type="deb", purl=f"pkg:deb/{name}@{version}", found_by="test",
            locations=(Location(path="db", layer=0),),
        ),
        st.sampled_from(("a", "b")),
        st.sampled_from(("1", "2", "3~rc")),
    ),
    max_size=3,
    unique_by=lambda package: package.purl,
).map(tuple)  # fmt: skip
package_questions = st.builds(
    PackageQuestion,
    names=st.sampled_from((("a",), ("a", "b"), ("*",))),
    state=st.sampled_from(State),
    bounds=st.lists(st.builds(Bound, sign=st.sampled_from(("<", ">=", "!=")), version=st.just("2")), max_size=1).map(
        tuple
    ),
)
UNREAD = (Unread(path="etc", reason="cut short", layer=0),)


def words(
    question: Question, made: dict[str, Node], found: tuple[Package, ...], less: str
) -> tuple[OutcomeWord, OutcomeWord]:
    """The outcome with all evidence, and with less of it."""
    full = evidence(tree(made, requests=question.requests), packages=found)
    reduced = {
        "unread": lambda: replace(full, filesystem=tree(made, requests=question.requests, unread=UNREAD)),
        "unkept": lambda: replace(full, filesystem=FileTree(full.filesystem.entries)),
        "not understood": lambda: replace(
            full, inventory=Inventory(packages=found, unknowns=(UnknownPlace(path="x", reason="damaged"),))
        ),
    }[less]()
    return outcome_word(question.run(full)), outcome_word(question.run(reduced))


@given(st.one_of(files, package_questions), nodes, packages, st.sampled_from(("unread", "unkept", "not understood")))
def test_an_outcome_stays_as_it_was_or_becomes_unknown(
    question: Question, made: dict[str, Node], found: tuple[Package, ...], less: str
) -> None:
    before, after = words(question, made, found, less)
    assert after in {before, OutcomeWord.UNKNOWN}


@given(files, nodes, st.sampled_from(("unread", "unkept")), st.sampled_from(Relation))
def test_and_so_does_a_control_that_it_bears_on(
    question: Question, made: dict[str, Node], less: str, relation: Relation
) -> None:
    own = check("ACME-1", "t", Trait.PURPOSE, Severity.HIGH)
    control = Control(
        id="c", label="c", title="t", verbatim=True, confirmed=True, source="s",
        checks=(MappedCheck(check="ACME-1", relation=relation, rationale="So."),),
    )  # fmt: skip
    library = ControlLibrary(
        frameworks=(Framework(id="f", name="f", version="", source="", controls=(control,)),), digest=""
    )
    full = evidence(tree(made, requests=question.requests))
    bare = replace(
        full,
        filesystem=FileTree(full.filesystem.entries)
        if less == "unkept"
        else tree(made, requests=question.requests, unread=UNREAD),
    )
    (was,), (now,) = (roll_up(library, [CheckResult(check=own, outcome=question.run(one))]) for one in (full, bare))
    assert now.status in {was.status, ControlStatus.UNDETERMINED}


@given(files, nodes)
def test_a_failure_names_what_it_saw(question: Question, made: dict[str, Node]) -> None:
    image = evidence(tree(made, requests=question.requests))
    outcome = question.run(image)
    if isinstance(outcome, Failed):
        there = image.filesystem.entries  # folders above what was made, too
        assert all(seen.path in there or seen.kind == "coverage" for seen in outcome.observations)
