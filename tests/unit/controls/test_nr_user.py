"""NR-USER, NR-NUMERIC and NR-GROUP: who the container starts as."""

from __future__ import annotations

import pytest

from compliance.model.evidence import Variant
from compliance.model.filesystem import Unread
from compliance.model.image import ImageConfig
from compliance.model.outcome import Failed, NotApplicable, OutcomeWord, Passed, Unknown, outcome_word
from controls.checks.nr_group import CHECK as NR_GROUP
from controls.checks.nr_numeric import CHECK as NR_NUMERIC
from controls.checks.nr_user import CHECK as NR_USER
from tests.builders.evidence import evidence

ACCOUNTS = (
    "root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/root:\nadmin:x:0:1000::/:\nnode:x:1000:1000::/:\n"
    "nonroot:x:65532:65532::/:\ngid0:x:1001:0::/:\n"
)
GROUP = "root:x:0:\nadm:x:4:\nshadow:x:42:node\ndocker:x:999:\nnode:x:1000:\nnonroot:x:65532:\n"
FILES = {"etc/passwd": ACCOUNTS, "etc/group": GROUP}
CUT = (Unread(path="", reason="the layer is cut short", layer=0),)

# The 17 configs of which peers were measured to pass some wrongly. history is never asked: it is no part of `user`.
MEASURED = [
    ("nouser-buildkit-history", None, OutcomeWord.FAILED),
    ("nouser-umoci-history", None, OutcomeWord.FAILED),
    ("nouser-crane-history", None, OutcomeWord.FAILED),
    ("nouser-no-history", "", OutcomeWord.FAILED),
    ("nouser-nop-history", "", OutcomeWord.FAILED),
    ("nouser-kaniko-bazel", "", OutcomeWord.FAILED),
    ("user-0", "0", OutcomeWord.FAILED),
    ("user-root", "root", OutcomeWord.FAILED),
    ("user-0colon0", "0:0", OutcomeWord.FAILED),
    ("user-00", "00", OutcomeWord.FAILED),
    ("user-root-group", "root:root", OutcomeWord.FAILED),
    ("user-nonroot-gid0", "1000:0", OutcomeWord.PASSED),
    ("user-65532-then-config", "65532", OutcomeWord.PASSED),
    ("history-says-65532-config-root", "root", OutcomeWord.FAILED),
    ("user-65532-no-history", "65532", OutcomeWord.PASSED),
    ("user-0-no-history", "0", OutcomeWord.FAILED),
    ("user-unknown-name", "node-app", OutcomeWord.FAILED),
]
ALIASES = [
    ("+0", OutcomeWord.FAILED),
    ("-0", OutcomeWord.FAILED),
    ("000", OutcomeWord.FAILED),
    ("toor", OutcomeWord.FAILED),
    ("admin", OutcomeWord.FAILED),
    (":1000", OutcomeWord.FAILED),
    ("toor:1000", OutcomeWord.FAILED),
    ("ROOT", OutcomeWord.FAILED),
    ("0:1000", OutcomeWord.FAILED),
    ("node:nogroup", OutcomeWord.FAILED),
    ("-1", OutcomeWord.FAILED),
    ("4294967296", OutcomeWord.FAILED),
    ("node", OutcomeWord.PASSED),
    ("node:0", OutcomeWord.PASSED),
    ("+65532", OutcomeWord.PASSED),
]


@pytest.mark.parametrize(("user", "word"), [*(pytest.param(u, w, id=name) for name, u, w in MEASURED), *ALIASES])
def test_every_spelling_of_user(user: str | None, word: OutcomeWord) -> None:
    outcome = NR_USER.run(evidence(FILES, config=ImageConfig(user=user, history=("USER 65532",))))
    assert outcome_word(outcome) is word


def test_a_pass_says_which_uid() -> None:
    outcome = NR_USER.run(evidence(FILES, config=ImageConfig(user="nonroot")))
    assert isinstance(outcome, Passed)
    assert "uid 65532, gid 65532" in outcome.observations[0].summary
    assert "/etc/passwd" in outcome.observations[0].summary


def test_taking_the_passwd_line_away_fails() -> None:
    assert isinstance(NR_USER.run(evidence({}, config=ImageConfig(user="nonroot"))), Failed)


@pytest.mark.parametrize("variant", [Variant.DEV, Variant.SDK])
def test_root_in_dev_and_sdk_is_by_design_and_told(variant: Variant) -> None:
    outcome = NR_USER.run(evidence(FILES, config=ImageConfig(user="0:0"), variant=variant))
    assert isinstance(outcome, NotApplicable)
    assert "uid 0 (root)" in outcome.observations[0].summary


@pytest.mark.parametrize("check", [NR_USER, NR_NUMERIC, NR_GROUP])
def test_a_root_filesystem_says_nothing_about_users(check: object) -> None:
    assert isinstance(check.run(evidence(FILES, without_config=True)), Unknown)  # type: ignore[attr-defined]


@pytest.mark.parametrize("check", [NR_USER, NR_NUMERIC, NR_GROUP])
def test_a_name_in_a_tree_that_was_not_read_is_unknown(check: object) -> None:
    outcome = check.run(evidence({}, config=ImageConfig(user="node"), unread=CUT))  # type: ignore[attr-defined]
    assert isinstance(outcome, Unknown)


@pytest.mark.parametrize(
    ("user", "word", "notes"),
    [
        ("65532", OutcomeWord.PASSED, 0),
        ("0", OutcomeWord.PASSED, 0),
        ("node", OutcomeWord.PASSED, 1),
        ("node-app", OutcomeWord.FAILED, 0),
        ("", OutcomeWord.FAILED, 0),
    ],
)
def test_numeric_or_resolving(user: str, word: OutcomeWord, notes: int) -> None:
    outcome = NR_NUMERIC.run(evidence(FILES, config=ImageConfig(user=user)))
    assert outcome_word(outcome) is word
    assert sum(1 for seen in outcome.observations if "kubelet" in seen.summary) == notes


def test_no_user_in_a_dev_image_is_nothing_to_enforce() -> None:
    assert isinstance(NR_NUMERIC.run(evidence(FILES, variant=Variant.DEV)), NotApplicable)


@pytest.mark.parametrize(
    ("user", "word", "said"),
    [
        ("65532:65532", OutcomeWord.PASSED, "uid 65532, gid 65532"),
        ("nonroot", OutcomeWord.PASSED, "uid 65532"),
        ("7777", OutcomeWord.FAILED, "without a line in /etc/passwd a runtime takes group 0"),
        ("gid0", OutcomeWord.FAILED, "0 (root) by /etc/passwd"),
        ("nonroot:0", OutcomeWord.FAILED, "as USER says"),
        ("node", OutcomeWord.FAILED, "member of the group 42 (shadow)"),
        ("node:node", OutcomeWord.FAILED, "42 (shadow) by /etc/group: containerd grants it beside the group"),
        ("nonroot:", OutcomeWord.FAILED, "0 (root) in containerd, since USER ends in a colon"),
        ("nonroot:node", OutcomeWord.PASSED, "gid 1000"),
        ("65532:docker", OutcomeWord.FAILED, "999 (docker)"),
        ("65532:4", OutcomeWord.FAILED, "4 (adm)"),
        ("", OutcomeWord.FAILED, "uid 0"),
        ("node-app", OutcomeWord.FAILED, "not in /etc/passwd"),
    ],
)
def test_groups(user: str, word: OutcomeWord, said: str) -> None:
    outcome = NR_GROUP.run(evidence(FILES, config=ImageConfig(user=user)))
    assert outcome_word(outcome) is word
    assert said in outcome.observations[0].summary


def test_group_0_of_root_by_design_is_not_held_against_a_dev_image() -> None:
    assert isinstance(NR_GROUP.run(evidence(FILES, variant=Variant.DEV)), NotApplicable)


def test_a_user_in_no_group_that_can_be_known_is_unknown() -> None:
    assert isinstance(NR_GROUP.run(evidence({}, config=ImageConfig(user="7"), unread=CUT)), Unknown)
    assert isinstance(NR_GROUP.run(evidence({}, config=ImageConfig(user="7:7"), unread=CUT)), Unknown)
    assert isinstance(NR_GROUP.run(evidence({}, config=ImageConfig(user="7:7"))), Passed)
