"""Values that may be secrets are not written down."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.redaction import WITHHELD, is_open, redact, redact_arguments, redact_step


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("DB_PASSWORD=hunter2", f"DB_PASSWORD={WITHHELD}"),
        ('export apiKey="two words" x', f"export apiKey={WITHHELD} x"),
        ("run --password hunter2 --verbose", f"run --password {WITHHELD} --verbose"),
        ("run --auth-token=abc", f"run --auth-token={WITHHELD}"),
        ("https://bot:hunter2@git.example.org/x", f"https://{WITHHELD}@git.example.org/x"),
        ("curl -H 'Authorization: Bearer abcdefgh12'", f"curl -H 'Authorization: Bearer {WITHHELD}'"),
        ("key ghp_0123456789abcdefABCDEF here", f"key {WITHHELD} here"),
        ("AKIAIOSFODNN7EXAMPLE", WITHHELD),
    ],
)
def test_secrets_are_withheld(text: str, safe: str) -> None:
    assert redact(text) == safe


@pytest.mark.parametrize(
    "text",
    [
        "the password field of /etc/shadow is empty",
        "authors=Jane Doe",
        "PATH=/usr/bin",
        "user@example.org approved it",
        "--mount=type=secret,id=npm",
        "pkg:npm/%40scope/jsonwebtoken@9.0.2",
    ],
)
def test_harmless_text_stays(text: str) -> None:
    assert redact(text) == text


def test_the_argument_after_a_telling_option_is_withheld() -> None:
    assert redact_arguments(("run", "--db-password", "x", "--token", "--verbose")) == [
        "run",
        "--db-password",
        WITHHELD,
        "--token",
        "--verbose",
    ]


@pytest.mark.parametrize(
    ("step", "safe"),
    [
        ("ENV A=one PATH=/bin B='two three'", f"ENV A={WITHHELD} PATH=/bin B={WITHHELD}"),
        ("/bin/sh -c #(nop)  ENV KEY=one", f"/bin/sh -c #(nop)  ENV KEY={WITHHELD}"),
        ("ARG VERSION=1.2", f"ARG VERSION={WITHHELD}"),
        (
            "RUN |2 A=x LANG=C /bin/sh -c make X=1 # buildkit",
            f"RUN |2 A={WITHHELD} LANG=C /bin/sh -c make X=1 # buildkit",
        ),
        ("|1 TOKEN=x /bin/sh -c curl -u a", f"|1 TOKEN={WITHHELD} /bin/sh -c curl -u a"),
        ("COPY /app /app # buildkit", "COPY /app /app # buildkit"),
    ],
)
def test_values_of_build_steps_are_withheld(step: str, safe: str) -> None:
    assert redact_step(step) == safe


@given(st.text(alphabet="abcPASSWORD_= -\"'|1:/@", max_size=60))
def test_redacting_twice_is_redacting_once(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize(("name", "open_"), [("PATH", True), ("LC_ALL", True), ("LD_PRELOAD", False), ("XPATH", False)])
def test_only_path_home_and_locale_are_open(name: str, open_: bool) -> None:
    assert is_open(name) is open_
