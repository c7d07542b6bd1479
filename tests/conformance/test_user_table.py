"""docs/run-as.md, and thousands of generated USERs and account files, held against the runtimes' own code."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from compliance.model.outcome import OutcomeWord, outcome_word
from controls.accounts import AccountFile, CannotStart, Identity, resolve_user
from controls.checks.nr_user import CHECK as NR_USER
from tests.builders.evidence import Node
from tests.conformance import user_table as table

GENERATED = 4000
NAMES = ("root", "app", "toor", "", "a b", "1000", "-1", "#x", "+", "\u00e9", "x,y")
NUMBERS = (
    "0", "00", "+0", "-0", "5", "1000", "01000", "+1000", "65532", "-1", "-5", "", " 5", "5 ", "abc", "0x5", "1_0",
    "2147483647", "2147483648", "4294967295", "4294967296", "4295032828", "9223372036854775807",
    "9223372036854775808", "-9223372036854775809", "99999999999999999999999999",
)  # fmt: skip
ENDS = (
    "\n",
    "\n",
    "\n",
    "\r\n",
    "\n\n",
    " \n",
    "\n\t",
    "\u00a0\n",
    "\x85\n",
    "\u2003\n",
    "\x1f\n",
    "\x0b",
    "\x00\n",
    "",
)


@pytest.mark.parametrize(
    ("case", "answers"), [pytest.param(*pair, id=str(number)) for number, pair in enumerate(table.answered())]
)
def test_the_answer_is_the_less_safe_of_what_docker_and_containerd_do(
    case: table.Case, answers: tuple[table.Start, table.Start]
) -> None:
    assert table.ours(case) == table.joined(*answers)


def test_no_image_passes_that_runs_as_root_or_does_not_start_in_either() -> None:
    for case, answers in table.answered():
        safe = all(not start.refused and start.uid != 0 for start in answers)
        assert outcome_word(NR_USER.run(table.image_of(case))) is (OutcomeWord.PASSED if safe else OutcomeWord.FAILED)


def test_the_table_has_the_seventeen_measured_images_and_more_than_forty_spellings() -> None:
    assert len(table.MEASURED) == 17
    assert len({case.user for case in table.SPELLINGS}) > 40


def test_the_page_is_what_the_code_answers() -> None:
    """Written anew by ``python -m tests.conformance.user_table``."""
    assert table.PAGE.read_text() == table.page(table.recorded())


def test_the_page_has_what_the_runtimes_answer(tmp_path: Path) -> None:
    assert table.recorded() == table.ask(tmp_path)


def test_generated_files_and_users_are_understood_as_by_the_runtimes(tmp_path: Path) -> None:
    draw = random.Random(7)  # noqa: S311 - the same cases every time
    cases = [_case(draw) for _ in range(GENERATED)]
    roots = [table.write_root(_nodes(*case[1:]), tmp_path / str(number)) for number, case in enumerate(cases)]
    answers = table.theirs((spec, root) for (spec, *_), root in zip(cases, roots, strict=True))
    started = 0
    for (spec, passwd, group), (docker, containerd) in zip(cases, answers, strict=True):
        who = resolve_user(spec, _file(passwd), _file(group))
        found = table.REFUSED
        if isinstance(who, Identity):
            found = table.Start(uid=who.uid, gid=who.gid, groups=tuple(sorted(who.groups)))
            started += 1
            assert who.containerd_gid == containerd.gid
        else:
            assert isinstance(who, CannotStart)
        assert found == table.joined(docker, containerd), (spec, passwd, group, docker, containerd)
    assert GENERATED / 3 < started < GENERATED * 0.9  # neither answer is the rule


def _case(draw: random.Random) -> tuple[str, bytes | None, bytes | None]:
    """USER is made of what the files hold, as a rule."""
    passwd, group = _passwd(draw), _group(draw)
    user, group_name = (_held(draw, content) for content in (passwd, group))
    return (
        draw.choice((user, user, f"{user}:{group_name}", f"{user}:{group_name}", f":{group_name}", "")),
        passwd,
        group,
    )


def _held(draw: random.Random, content: bytes | None) -> str:
    lines = [line.decode("utf-8", "replace").strip().split(":") for line in (content or b"").split(b"\n")]
    if draw.random() < 0.2:
        return draw.choice((*NAMES, *NUMBERS, "5:5"))
    return draw.choice(draw.choice(lines)[:3:2])


def _passwd(draw: random.Random) -> bytes | None:
    if draw.random() < 0.05:
        return None
    lines = [
        _line(draw, (draw.choice(NAMES), "x", _number(draw), _number(draw), "", "/", ""))
        for _ in range(draw.randrange(6))
    ]
    return "".join(lines).encode() + draw.choice(
        (
            b"",
            b"",
            b"",
            b"",
            b"",
            b"",
            b"\xa0bad:x:1000:5::/:\n",
            b"l:x:5:5:" + b"g" * draw.choice((65526, 65527, 65528)),
        )
    )


def _group(draw: random.Random) -> bytes | None:
    if draw.random() < 0.05:
        return None
    lines = [
        _line(draw, (draw.choice(NAMES), "x", _number(draw), ",".join(draw.choices(NAMES, k=draw.randrange(4)))))
        for _ in range(draw.randrange(6))
    ]
    return "".join(lines).encode()


def _number(draw: random.Random) -> str:
    return draw.choice(("0", "5", "1000", "65532")) if draw.random() < 0.85 else draw.choice(NUMBERS)


def _line(draw: random.Random, fields: tuple[str, ...]) -> str:
    kept = fields if draw.random() < 0.85 else fields[: draw.randrange(len(fields) + 1)]
    return draw.choice(("", "", "", "", " ", "\u00a0", "#")) + ":".join(kept) + draw.choice(ENDS)


def _nodes(passwd: bytes | None, group: bytes | None) -> dict[str, Node | str | bytes]:
    files = {"etc/passwd": passwd, "etc/group": group}
    return {name: content for name, content in files.items() if content is not None}


def _file(content: bytes | None) -> AccountFile:
    return AccountFile() if content is None else AccountFile(content=content, present=True)
