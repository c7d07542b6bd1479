"""The search for secrets: what is found and where, what is none, what its bounds leave out."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.formats import literals
from compliance.formats.secrets import (
    AFTER,
    FILE_RULE_MAX,
    FOUND_MAX,
    TRIES_MAX,
    WINDOW,
    NamedValues,
    Scan,
    SecretRule,
    SecretRules,
    SecretSearch,
    base62_crc32,
    bech32,
)
from compliance.model.filesystem import Secret
from controls.secret_rules import secret_knowledge, secret_search
from tests.builders import credentials as make

RULES = secret_knowledge().rules
SEARCH = secret_search()
NAMED = NamedValues(names=b"token", exempt=b"(?!)", open=b"(?!)")


def one(scan: Scan) -> Secret:
    (secret,) = scan.found
    return secret


def digest(secret: str | bytes) -> str:
    return hashlib.sha256(secret.encode() if isinstance(secret, str) else secret).hexdigest()


# ---- forms


@pytest.mark.parametrize("rule", sorted(make.TOKENS))
def test_each_form_is_found_by_its_rule_alone_with_its_place(rule: str) -> None:
    text = make.TOKENS[rule]()
    secret = one(SEARCH.search(f"first line\nvalue: {text}\n".encode()))
    assert secret.rule == rule
    assert secret.line is not None
    assert secret.line >= 2


@pytest.mark.parametrize("rule", sorted(make.FILES))
def test_each_credential_file_is_found_by_its_name_and_only_so(rule: str) -> None:
    path, content = make.FILES[rule]
    secret = one(SEARCH.search(content.encode(), SEARCH.rules_for(path)))
    assert secret.rule == rule
    assert secret.sha256 is None  # people choose these: a digest would help to guess
    assert not SEARCH.search(content.encode(), SEARCH.rules_for("usr/share/x/other"))


def test_every_rule_has_an_example_here() -> None:
    elsewhere = {"private-key", "encoded-private-key", "putty-key"}
    config = {"assigned-value", "address-password", "authorization-header", "password-option"}
    assert {rule.id for rule in RULES.rules} == {*make.TOKENS, *make.FILES, *elsewhere, *config}


@pytest.mark.parametrize("prefix", ["ghp", "gho", "ghu", "ghs", "ghr", "npm"])
def test_the_checksum_of_a_token_decides(prefix: str) -> None:
    token = make.checked_token(prefix)
    assert one(SEARCH.search(token.encode())).sha256 == digest(token)
    wrong = token[:-1] + ("0" if token[-1] != "0" else "1")
    assert not SEARCH.search(wrong.encode())


def test_a_published_sample_of_the_checksum_holds() -> None:
    # "Behind GitHub's new authentication token formats" and npm's announcement give the rule; these are revoked.
    assert base62_crc32(b"ghp_" + b"zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ" + b"0mLq17")
    assert base62_crc32(b"npm_" + b"qkJaB6MffYVzZXWqmcoF49yrUxP3wf" + b"0LsakP")
    assert bech32(b"A12UEL5L")  # BIP 173, valid test vectors
    assert bech32(b"abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw")
    assert not bech32(b"A12UEL5M")


def test_an_aws_key_id_alone_or_far_from_its_secret_is_no_secret() -> None:
    alone = f"id = {make.AWS_KEY_ID}\n"
    assert not SEARCH.search(alone.encode())
    assert not SEARCH.search((alone + " " * 3000 + make.AWS_SECRET).encode())
    near = one(SEARCH.search((alone + " " * 500 + make.AWS_SECRET).encode()))
    assert near.sha256 == digest(make.AWS_SECRET)


def test_the_samples_of_documentation_are_none() -> None:
    for text in (
        "AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "glpat-xxxxxxxxxxxxxxxxxxxx glpat-your_access_token_1",
        "sk_live_000000000000000000000000",
        "xoxb-123456789012-1234567890123-xxxxxxxxxxxxxxxxxxxxxxxx",
        'AccountKey=' + "A" * 86 + "==",
        make.web_token({"sub": "1234567890", "name": "John Doe", "iat": 1516239022}),
        make.web_token({"a": "b"}),
        make.web_token(algorithm="none"),
    ):  # fmt: skip
        assert not SEARCH.search(text.encode()), text


def test_a_published_key_is_known_by_its_digest() -> None:
    azurite = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    secret = one(SEARCH.search(f"AccountKey={azurite}".encode()))
    assert secret.published == "the key of the Azure storage emulator, the same in every installation"


def test_a_web_token_says_when_it_expires() -> None:
    assert one(SEARCH.search(make.web_token({"exp": 1700000000, "sub": "x"}).encode())).expires == 1700000000
    assert one(SEARCH.search(make.web_token({"exp": "soon", "sub": "x"}).encode())).expires is None


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("rsa", "RSA private key", None),
        ("openssh", "OpenSSH private key", None),
        ("pkcs8-encrypted", "PKCS #8 private key", "encrypted with a passphrase"),
    ],
)
def test_keys_are_told_with_the_digest_of_what_they_decode_to(name: str, kind: str, reason: str | None) -> None:
    pem = make.keys()[name]
    for content in (pem, b"\n\n" + pem.replace(b"\n", b"\r\n")):
        secret = one(SEARCH.search(content))
        assert (secret.kind, secret.reason, secret.sha256) == (kind, reason, digest(make.body_of(pem)))
    encoded = one(SEARCH.search(b"client-key-data: " + base64.b64encode(pem)))
    assert (encoded.kind, encoded.sha256) == (f"{kind} in base64", digest(make.body_of(pem)))


def test_public_keys_are_none_in_base64_too() -> None:
    assert not SEARCH.search(make.keys()["public"])
    assert not SEARCH.search(base64.b64encode(make.keys()["public"]))


def test_a_service_account_and_a_putty_key_are_called_by_their_names() -> None:
    assert one(SEARCH.search(make.service_account())).kind == "Google Cloud service account key"
    assert one(SEARCH.search(make.putty_key())).kind == "PuTTY private key"


def test_a_registry_login_must_decode_to_user_and_password() -> None:
    assert one(SEARCH.search(make.registry_login(password="hunter2!"))).sha256 is None  # noqa: S106
    assert not SEARCH.search(b'{"auth": "bm8gY29sb24gaGVyZQ=="}')
    assert not SEARCH.search(b'{"auth": "required"}')


# ---- config texts


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("/bin/sh -c #(nop)  ENV DB_PASSWORD=s3cr3t-w0rd", "assigned-value"),
        ("|1 NPM_TOKEN=s3cr3t-w0rd /bin/sh -c npm ci", "assigned-value"),
        ("ARG api_key='s3cr3t-w0rd'", "assigned-value"),
        ("RUN pip install -i https://build:s3cr3t-w0rd@packages.corp.internal/simple x", "address-password"),
        ('RUN curl -H "Authorization: Bearer s3cr3t-w0rd-long" https://x', "authorization-header"),
        ("RUN login --password s3cr3t-w0rd", "password-option"),
    ],
)
def test_credentials_in_build_steps_are_found(text: str, rule: str) -> None:
    assert rule in {secret.rule for secret in SEARCH.search_text(text).found}
    assert all(secret.sha256 is None for secret in SEARCH.search_text(text).found)


@pytest.mark.parametrize(
    "text",
    [
        "ARG NPM_TOKEN",
        "ENV GPG_KEY=E3FF2839C048B25C084DEBE9B26995E310250568",
        "ENV POSTGRES_PASSWORD_FILE=/run/secrets/db",
        "ENV DB_PASSWORD=$PASSWORD TOKEN=${TOKEN:-} API_KEY=<your key> SECRET=changeme",
        "ENV MYSQL_ALLOW_EMPTY_PASSWORD=yes PWD=/app OLDPWD=/",
        "RUN --mount=type=secret,id=token curl https://x",
        'RUN token=$(cat /run/secrets/token) && use --token "$token"',
        "RUN useradd --password '*' x",
        "RUN git clone https://git@github.com/x/y",
        "ENV PATH=/usr/local/bin:/usr/bin PYTHON_SHA256=" + "ab12" * 16,
    ],
)
def test_build_steps_without_credentials_are_clean(text: str) -> None:
    assert not SEARCH.search_text(text).found


@pytest.mark.parametrize(
    ("name", "value", "holds"),
    [
        ("DB_PASSWORD", "hunter2!", True),
        ("db.password", "hunter2!", True),
        ("DBPASSWORD", "hunter2!", True),
        ("SECRET_KEY", "9f8e7d6c", True),
        ("PASSWORD", "", False),
        ("PASSWORD_FILE", "/run/x", False),
        ("DB_PASSWORD", "/run/secrets/x", False),
        ("DB_PASSWORD", "changeme", False),
        ("TOKEN_URL", "https://x/token", False),
        ("MAX_TOKENS", "4096", False),
        ("AUTHOR", "somebody", False),
        ("COMPASS", "north-west", False),
        ("PATH", "/usr/bin", False),
    ],
)
def test_a_name_tells_whether_its_value_is_a_credential(name: str, value: str, holds: bool) -> None:
    assert SEARCH.named_value(name, value) is holds


# ---- the search itself


def test_what_overlaps_another_literal_is_found_too() -> None:
    rules = SecretRules(
        rules=(
            SecretRule(id="a", kind="a", literals=(b"abcd",), regex=b"(?P<secret>abcd\\w{12})"),
            SecretRule(id="b", kind="b", literals=(b"cdef",), regex=b"(?P<secret>cdef\\w{12})"),
            SecretRule(id="c", kind="c", literals=(b"bcd",), regex=b"(?P<secret>bcdefgh\\w{9})"),
        ),
        named=NAMED,
    )
    found = SecretSearch(rules).search(b"abcdefghijklmnopqrstuvw").found
    assert [secret.rule for secret in found] == ["a", "c", "b"]


@given(st.lists(st.sampled_from([b"ab", b"ba", b"aab", b"bab", b"abab", b"c"]), max_size=40))
def test_all_places_of_all_literals_are_found_as_a_plain_search_finds_them(parts: list[bytes]) -> None:
    literals = [b"aab", b"bab", b"abab", b"babab"]
    rules = tuple(
        SecretRule(id=str(n), kind="x", literals=(literal,), regex=b"(?P<secret>.)")
        for n, literal in enumerate(literals)
    )
    content = b"".join(parts)
    found = SecretSearch(SecretRules(rules=rules, named=NAMED)).hits(content)
    assert found == [
        (at, n) for at in range(len(content)) for n, literal in enumerate(literals) if content.startswith(literal, at)
    ]


@pytest.mark.parametrize("at", [0, WINDOW - 20, WINDOW - 1, WINDOW, 2 * WINDOW - 6, 3 * WINDOW - 41])
def test_a_secret_is_found_across_the_borders_of_windows_and_pieces(at: int) -> None:
    token = make.checked_token("ghp").encode()
    content = b" " * at + token + b" " * (3 * WINDOW - at)
    whole = one(SEARCH.search(content))
    assert (whole.offset, whole.line) == (at, 1)
    for size in (WINDOW, 100_003):
        reader = SEARCH.reader()
        for start in range(0, len(content), size):
            reader.feed(content[start : start + size])
        assert one(reader.scan()) == replace(whole, line=None)


@given(
    parts=st.lists(
        st.sampled_from(
            [
                make.keys()["ec"], make.keys()["openssh"], make.putty_key(), b"\n" * 5000, b"x " * AFTER, b"AKIA",
                *(text().encode() for text in make.TOKENS.values()),
            ]
        ),
        max_size=6,
    ),
    size=st.integers(1000, 200_000),
)  # fmt: skip
def test_a_file_in_pieces_has_the_secrets_of_the_whole(parts: list[bytes], size: int) -> None:
    content = b"\n".join(parts)
    whole = SEARCH.search(content)
    reader = SEARCH.reader()
    for start in range(0, len(content), size):
        reader.feed(content[start : start + size])
    assert reader.scan().found == tuple(replace(secret, line=None) for secret in whole.found)


_SMALL_FILES = st.lists(
    st.tuples(
        st.sampled_from(["", "a/b", make.FILES["netrc"][0]]),
        st.sampled_from(
            [
                b"", b"\n", b"AKIA", b"gh", b"p_", make.FILES["netrc"][1].encode(), make.keys()["ec"], b"-----BEGIN ",
                b"EC PRIVATE KEY-----", *(text().encode() for text in make.TOKENS.values()),
            ]
        ),
    ),
    max_size=8,
)  # fmt: skip


@pytest.mark.parametrize("many", [2**14, 0])
@given(files=_SMALL_FILES)
def test_files_searched_together_have_the_secrets_that_each_has_alone(
    many: int, files: list[tuple[str, bytes]]
) -> None:
    told = [(content, SEARCH.rules_for(path)) for path, content in files]
    alone = [(number, scan) for number, one in enumerate(told) if (scan := SEARCH.search(*one))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(literals, "MANY", many)
        assert [(number, scan) for number, scan in SEARCH.among(told) if scan] == alone


def test_a_credential_file_in_pieces_is_read_by_its_name() -> None:
    path, content = make.FILES["netrc"]
    reader = SEARCH.reader(SEARCH.rules_for(path))
    reader.feed(content.encode())
    assert one(reader.scan()).rule == "netrc"


def test_one_secret_at_many_places_is_one_and_many_are_bounded() -> None:
    token = make.checked_token("ghp")
    assert len(SEARCH.search((token + "\n").encode() * 50).found) == 1
    many = "\n".join(make.checked_token("ghp", str(n)) for n in range(FOUND_MAX + 5))
    scan = SEARCH.search(many.encode())
    assert len(scan.found) == FOUND_MAX
    assert scan.unsearched == f"more than {FOUND_MAX} secrets"


@pytest.mark.parametrize(
    "bait", [b"ghp_", b"AKIA" + b"A" * 16 + b" ", b".eyJ", b"LS0tLS1CRUdJTi", b"&sig=", b"PRIVATE KEY"]
)
def test_a_file_made_of_bait_is_given_up_and_said_so(bait: bytes) -> None:
    scan = SEARCH.search(bait * (TRIES_MAX + 10))
    assert not scan.found
    if bait != b"LS0tLS1CRUdJTi":  # one long run of base64 is read once
        assert scan.unsearched == f"more than {TRIES_MAX:,} places that look like secrets"


def test_a_file_whose_every_byte_begins_something_is_given_up_too() -> None:
    scan = SEARCH.search(b"LS0tLS" * 2**20)
    assert scan.unsearched is not None
    assert not scan.found


def test_a_credential_file_beyond_its_bound_is_not_wholly_searched() -> None:
    path, content = make.FILES["netrc"]
    scan = SEARCH.search(content.encode() + b"#\n" * FILE_RULE_MAX, SEARCH.rules_for(path))
    assert scan.found
    assert scan.unsearched == f"of a file of its name only the first {FILE_RULE_MAX:,} bytes are read"


def test_a_binary_has_offsets_and_no_lines() -> None:
    secret = one(SEARCH.search(b"\0\n\n" + make.checked_token("ghp").encode()))
    assert (secret.offset, secret.line) == (3, None)


def test_no_finding_holds_the_secret() -> None:
    for rule, text in make.TOKENS.items():
        (secret,) = SEARCH.search(text().encode()).found
        value = text().split()[-1][-20:]
        assert value not in repr(secret), rule


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=80),
            st.sampled_from([literal for rule in RULES.rules for literal in rule.literals]),
            st.sampled_from([text().encode()[:60] for text in make.TOKENS.values()]),
        ),
        max_size=12,
    ),
    st.sampled_from(["", "root/.netrc", "app/.env", "x.tfstate", "root/.kube/config", "etc/nginx/.htpasswd"]),
)
def test_no_bytes_break_the_search(parts: list[bytes], path: str) -> None:
    content = b"".join(parts)
    SEARCH.search(content, SEARCH.rules_for(path))
    SEARCH.search_text(content.decode("utf-8", "surrogateescape"))
    reader = SEARCH.reader(SEARCH.rules_for(path))
    for part in parts:
        reader.feed(part)
    reader.scan()


@pytest.mark.parametrize(
    "wrong",
    [
        {"literals": ()},
        {"literals": (b"ab",)},
        {"regex": None},
        {"reads": "web-token"},
        {"regex": None, "reads": "nothing-known"},
        {"checksum": "nothing-known"},
        {"before": 10_000},
        {"regex": b"no group"},
    ],
)
def test_a_rule_that_could_not_work_is_refused(wrong: dict[str, object]) -> None:
    good: dict[str, object] = {"id": "x", "kind": "x", "literals": (b"abcd",), "regex": b"(?P<secret>x)"}
    SecretRule(**good)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="x: "):
        SecretRule(**{**good, **wrong})  # type: ignore[arg-type]
