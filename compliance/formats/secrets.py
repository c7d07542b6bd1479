"""Secrets in bytes: keys, tokens and passwords by the formats that their makers published.

Literals first: one search for all of them passes over most files, and an expression is tried only where its literal
stands. Some formats are read (private keys, JSON Web Tokens), some carry a checksum, which must hold. What is found is
told by kind and place and never by value; a digest is given only where the secret can't be guessed from it.

Nothing here raises on any bytes. What the bounds leave out is said in `Scan.unsearched`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import log2
from typing import Any

from compliance.formats import private_keys
from compliance.formats.globs import PathTable
from compliance.formats.literals import Hit, LiteralSearch
from compliance.formats.private_keys import PrivateKey
from compliance.model.filesystem import Secret

WINDOW = 2**20
"""Bytes searched at once: bounds the list of hits that one call returns."""
BEFORE = 4096
"""Bytes before a literal that its rule may look at."""
AFTER = private_keys.BODY_MAX + 8192
"""Bytes after it."""
TRIES_MAX = 4096
"""Places of one file at which rules are tried."""
HITS_MAX = 65_536
"""Literals of one file that are looked at, those inside what was read already among them."""
FOUND_MAX = 100
"""Secrets told of one file."""
FILE_RULE_MAX = 2**20
"""Bytes of a file that a rule about files of its name reads."""
_NEAR = 1024
_EXPRESSION_MAX = 4096
"""Bytes behind its literal that an expression may take."""
_TEXT_HEAD = 1024
_BITS_MIN = 80.0
"""Below it a secret might be found by trying all that have its digest."""
_ENCODED_MAX = 96 * 1024

Reader = Callable[[bytes, int], Iterator["_Candidate"]]
FileRules = tuple["CompiledRule", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRule:
    """One kind of secret.

    With `literals` it is tried wherever one stands in any file: `reads` names a reader of this module, or `regex`
    must match over the literal, beginning at most `before` bytes ahead of it. With `files` (globs) it is tried in
    files of these paths only, and with `config` in the texts of an image config, everywhere. The group ``secret`` is
    the secret. `near` must match within 1 KiB; if it has the group, that is the secret. `checksum` names a check of
    this module that the secret must pass. `entropy` is the least in bits a character. `possible` says why a match
    need be none. The digest of a `guessable` secret, one that people choose, is not given.
    """

    id: str
    kind: str
    literals: tuple[bytes, ...] = ()
    reads: str | None = None
    regex: bytes | None = None
    before: int = 0
    files: tuple[str, ...] = ()
    config: bool = False
    near: bytes | None = None
    checksum: str | None = None
    entropy: float = 0.0
    possible: str | None = None
    guessable: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError for a rule that nothing could apply, or that would be tried everywhere."""
        if not (self.literals or self.files or self.config):
            raise ValueError(f"{self.id}: needs literals, files or config")
        if any(len(literal) < 3 for literal in self.literals):
            raise ValueError(f"{self.id}: needs literals of at least 3 bytes")
        if (self.reads is None) == (self.regex is None):
            raise ValueError(f"{self.id}: needs either a reader or an expression")
        if self.reads is not None and self.reads not in READERS:
            raise ValueError(f"{self.id}: no reader {self.reads!r}")
        if self.checksum is not None and self.checksum not in CHECKSUMS:
            raise ValueError(f"{self.id}: no checksum {self.checksum!r}")
        if not 0 <= self.before <= BEFORE:
            raise ValueError(f"{self.id}: looks back at most {BEFORE} bytes")
        if self.regex is not None and "secret" not in re.compile(self.regex).groupindex:
            raise ValueError(f"{self.id}: the expression needs the group secret")


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedValues:
    """Which assignments hold a credential: `names` an expression for the whole name, unless `exempt` matches it; a
    value that matches `open` (a path, a reference to another variable, a switch) is none."""

    names: bytes
    exempt: bytes
    open: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRules:
    """All rules; `placeholders` are expressions that an example's value matches; `published` are known to everybody:
    what they are by the sha256 (hex) of the secret."""

    rules: tuple[SecretRule, ...]
    named: NamedValues
    placeholders: tuple[bytes, ...] = ()
    published: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What was found in one file or text, in order of place, and what of it was not searched."""

    found: tuple[Secret, ...] = ()
    unsearched: str | None = None

    def __bool__(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.found or self.unsearched)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A value that may be a secret, from `start` to `end` in what was searched; `kind` if it tells more than its
    rule."""

    secret: bytes
    start: int
    end: int
    kind: str | None = None
    reason: str | None = None
    expires: int | None = None
    guessable: bool = False


NOTHING = Scan()


class SecretSearch:
    """All rules as one search. One object may be used by several threads."""

    def __init__(self, rules: SecretRules) -> None:
        """Compile the rules."""
        self._rules = rules
        self._named = _Assignments(rules.named)
        self._placeholder = re.compile(
            b"|".join(b"(?:%s)" % one for one in rules.placeholders) or b"(?!)", re.IGNORECASE
        )
        self._compiled = [
            CompiledRule(
                rule,
                None if rule.regex is None else re.compile(rule.regex),
                None if rule.near is None else re.compile(rule.near),
            )
            for rule in rules.rules
        ]
        meanings: dict[bytes, list[CompiledRule]] = {}
        for compiled in self._compiled:
            for literal in compiled.rule.literals:
                meanings.setdefault(literal, []).append(compiled)
        self.literals = LiteralSearch(tuple(meanings))
        self._meanings = tuple(meanings.values())
        self.by_path = tuple((compiled, compiled.rule.files) for compiled in self._compiled if compiled.rule.files)
        """Rules for files of certain paths, and their globs: whoever has globs of its own asks for all at once."""
        self._files = PathTable(self.by_path)
        self.longest = max(map(len, meanings), default=1)

    def rules_for(self, path: str) -> FileRules:
        """The rules for a file of that path in the tree."""
        return self._files.owners(path)

    def search(self, content: bytes, rules: FileRules = (), hits: list[Hit] | None = None) -> Scan:
        """The secrets in a whole file. `rules` are those for files of its path; `hits` are its literals where they
        are known already."""
        if hits is None:
            hits = self.literals.few(content)
        if not rules and hits is not None and not hits:
            return NOTHING
        reader = SecretReader(self, rules)
        reader.whole(content, hits=hits)
        return reader.scan()

    def among(self, files: Sequence[tuple[bytes, FileRules]]) -> Iterator[tuple[int, Scan]]:
        """Index and scan of those of some small files that there is anything to tell of.

        They are searched as one content: a search of its own costs each more than what it does.
        """
        hits = self.literals.few(b"".join([content for content, _ in files]))
        if not hits:
            for number, (content, rules) in enumerate(files):
                if hits is None or rules:
                    yield number, self.search(content, rules, hits)
            return
        lengths = [len(literal) for literal in self.literals.literals]
        begin = at = 0
        for number, (content, rules) in enumerate(files):
            end = begin + len(content)
            own: list[Hit] = []
            while at < len(hits) and hits[at][0] < end:
                place, literal = hits[at]
                if place + lengths[literal] <= end:  # else it is made of two files
                    own.append((place - begin, literal))
                at += 1
            begin = end
            if own or rules:
                yield number, self.search(content, rules, own)

    def search_text(self, text: str) -> Scan:
        """The secrets in one text of an image config: all rules that need no file of a certain name."""
        content = text.encode("utf-8", "surrogateescape")[:FILE_RULE_MAX]
        reader = self.reader()
        reader.whole(content, tuple(compiled for compiled in self._compiled if compiled.rule.config))
        cut = "a text of more than a megabyte" if len(text) > FILE_RULE_MAX else None
        scan = reader.scan()
        return replace(scan, unsearched=scan.unsearched or cut)

    def values(self, text: str) -> tuple[str, ...]:
        """The secrets in one text of an image config, for taking them out of what is printed, and for nothing else.

        A key comes as it is written there, from marker to marker.
        """
        content = text.encode("utf-8", "surrogateescape")[:FILE_RULE_MAX]
        rules = [compiled for compiled in self._compiled if compiled.rule.config]
        return self._written(content, (*self._at_literals(content), *self.everywhere(content, rules)))

    def tokens(self, text: str) -> tuple[str, ...]:
        """The secrets in a text that stand out by their form, wherever it comes from."""
        content = text.encode("utf-8", "surrogateescape")[:FILE_RULE_MAX]
        return self._written(content, self._at_literals(content))

    def _at_literals(self, content: bytes) -> Iterator[tuple[CompiledRule, _Candidate]]:
        for start, literal in self.hits(content)[:TRIES_MAX]:
            yield from self.at(content, literal, start)

    def _written(self, content: bytes, found: Iterable[tuple[CompiledRule, _Candidate]]) -> tuple[str, ...]:
        out: dict[str, None] = {}
        for compiled, candidate in found:
            if candidate.secret and self.secret(compiled, candidate) is not None:
                written = candidate.secret if candidate.secret in content else content[candidate.start : candidate.end]
                out[written.decode("utf-8", "surrogateescape")] = None
        return tuple(out)

    def named_value(self, name: str, value: str) -> bool:
        """Whether a variable or label of that name and value holds a credential."""
        one = value.encode("utf-8", "surrogateescape")
        return self._named.tells(name.encode("utf-8", "surrogateescape"), one) and not self.is_placeholder(one)

    def is_placeholder(self, secret: bytes) -> bool:
        """Whether `secret` is an example's: by its words, or as it has hardly any different characters."""
        return len(set(secret)) < min(8, 1 + len(secret) // 3) or self._placeholder.search(secret) is not None

    def reader(self, rules: FileRules = ()) -> SecretReader:
        """For a file that is read piece by piece; `rules` are those for files of its path."""
        return SecretReader(self, rules)

    def hits(self, content: bytes) -> list[Hit]:
        """The literals in `content`."""
        few = self.literals.few(content)
        if few is not None:
            return few
        return sorted((at, number) for number, places in self.literals.found(content).items() for at in places)

    def windows(self, content: bytes) -> Iterator[Hit]:
        """The literals in `content`, of which only those in a window are in memory at once."""
        for base in range(0, len(content), WINDOW):
            for start, literal in self.hits(content[base : base + WINDOW + self.longest]):
                if start < WINDOW:
                    yield base + start, literal

    def at(self, content: bytes, literal: int, start: int) -> Iterator[tuple[CompiledRule, _Candidate]]:
        """What the rules of `literal` make of its place."""
        for compiled in self._meanings[literal]:
            for candidate in compiled.at(content, start, len(self.literals.literals[literal])):
                yield compiled, candidate

    def everywhere(self, content: bytes, rules: Iterable[CompiledRule]) -> Iterator[tuple[CompiledRule, _Candidate]]:
        """What `rules` find anywhere in `content`."""
        for compiled in rules:
            if compiled.rule.reads == "assignments":
                found: Iterable[_Candidate] = self._named.read(content)
            elif compiled.rule.literals:
                continue  # found by its literals already
            else:
                found = compiled.everywhere(content)
            for candidate in found:
                yield compiled, candidate

    def secret(self, compiled: CompiledRule, candidate: _Candidate) -> tuple[Secret, bytes] | None:
        """The finding (its place in what was searched) and the key by which repetitions are known."""
        rule = compiled.rule
        value = candidate.secret
        digest = hashlib.sha256(value).hexdigest()
        published = self._rules.published.get(digest)
        if published is None:
            if rule.checksum is not None and not CHECKSUMS[rule.checksum](value):
                return None
            if _entropy(value) < rule.entropy or (rule.reads not in _KEY_READERS and self.is_placeholder(value)):
                return None
        guessable = rule.guessable or candidate.guessable or _entropy(value) * len(value) < _BITS_MIN
        secret = Secret(
            rule=rule.id,
            kind=candidate.kind or rule.kind,
            offset=candidate.start,
            sha256=None if guessable else digest,
            reason=candidate.reason or rule.possible,
            published=published,
            expires=candidate.expires,
        )
        return secret, rule.id.encode() + bytes.fromhex(digest)


class SecretReader:
    """One file while it is read; `feed` its pieces, then ask `scan` for what was found."""

    def __init__(self, search: SecretSearch, file_rules: FileRules) -> None:
        """Made by SecretSearch.reader."""
        self._search = search
        self._file_rules = file_rules
        self._found: dict[bytes, Secret] = {}
        self._hits = 0
        self._tries = 0
        self._unsearched: str | None = None
        self._tail = b""
        self._base = 0  # of the tail, in the file
        self._done = 0  # hits before it were looked at
        self._read = 0  # the end of the last thing that was read as a whole

    def whole(self, content: bytes, rules: FileRules = (), *, hits: Sequence[Hit] | None = None) -> None:
        """A file that is all at hand; `rules` are tried everywhere in it, as are those for files of its name.

        `hits` are the literals in it, where they are known already.
        """
        for start, literal in self._search.windows(content) if hits is None else hits:
            if self._unsearched is not None:
                break
            self._at(content, literal, start, 0)
        self._everywhere(content, rules)
        if self._found and b"\0" not in content[:_TEXT_HEAD]:
            for key, secret in self._found.items():
                self._found[key] = replace(secret, line=content.count(b"\n", 0, secret.offset) + 1)

    def feed(self, piece: bytes) -> None:
        """The next piece; its end is looked at with the piece that follows, or by `scan`."""
        content = self._tail + piece
        self._look(content, len(content) - AFTER)
        keep = min(len(content), BEFORE + AFTER)
        self._base += len(content) - keep
        self._tail = content[len(content) - keep :]

    def scan(self) -> Scan:
        """What was found. The end of a file that came in pieces is looked at now."""
        if self._tail:
            self._look(self._tail, len(self._tail))
            self._tail = b""
        if not self._found and self._unsearched is None:
            return NOTHING
        found = tuple(sorted(self._found.values(), key=lambda secret: (secret.offset, secret.rule)))
        return Scan(found=found, unsearched=self._unsearched)

    def _look(self, content: bytes, until: int) -> None:
        """The hits in `content` that begin before `until` and were not looked at."""
        first = max(0, self._done - self._base)
        if until <= first or self._unsearched is not None:
            return
        if self._base == 0 and self._done == 0 and self._file_rules:
            self._everywhere(content, ())
        for start, literal in self._search.hits(content[first : until + self._search.longest]):
            if first + start < until:
                self._at(content, literal, first + start, self._base)
        self._done = self._base + until

    def _everywhere(self, content: bytes, rules: FileRules) -> None:
        if not self._file_rules and not rules:
            return
        if len(content) > FILE_RULE_MAX:
            self._cut(f"of a file of its name only the first {FILE_RULE_MAX:,} bytes are read")
            content = content[:FILE_RULE_MAX]
        for compiled, candidate in self._search.everywhere(content, (*self._file_rules, *rules)):
            if not self._take(compiled, candidate, 0):
                return

    def _at(self, content: bytes, literal: int, start: int, base: int) -> None:
        if self._unsearched is not None:
            return
        self._hits += 1
        read = base + start < self._read
        self._tries += not read
        if read and self._hits <= HITS_MAX:
            return
        if self._tries > TRIES_MAX or self._hits > HITS_MAX:
            self._cut(f"more than {TRIES_MAX:,} places that look like secrets")
            return
        for compiled, candidate in self._search.at(content, literal, start):
            if compiled.rule.reads is not None:
                self._read = max(self._read, base + candidate.end)
            if not self._take(compiled, candidate, base):
                return

    def _take(self, compiled: CompiledRule, candidate: _Candidate, base: int) -> bool:
        """Note a finding; False when there is no room for more."""
        known = self._search.secret(compiled, candidate) if candidate.secret else None
        if known is None:
            return True
        secret, key = known
        if len(self._found) >= FOUND_MAX and key not in self._found:
            self._cut(f"more than {FOUND_MAX} secrets")
            return False
        self._found.setdefault(key, replace(secret, offset=base + secret.offset))
        return True

    def _cut(self, reason: str) -> None:
        self._unsearched = self._unsearched or reason


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule with its expressions compiled."""

    rule: SecretRule
    regex: re.Pattern[bytes] | None
    near: re.Pattern[bytes] | None

    def at(self, content: bytes, start: int, length: int) -> Iterator[_Candidate]:
        """What the rule makes of its literal at `start`."""
        if self.rule.reads is not None:
            yield from READERS[self.rule.reads](content, start)
        elif self.regex is not None:
            match = self._over(self.regex, content, start, start + length + _EXPRESSION_MAX)
            if match is not None:
                yield from self._secrets(content, match)

    def _over(self, regex: re.Pattern[bytes], content: bytes, start: int, end: int) -> re.Match[bytes] | None:
        """The match that the literal at `start` lies in."""
        if not self.rule.before:
            return regex.match(content, start, end)
        for match in regex.finditer(content, max(0, start - self.rule.before), end):
            if match.end() > start:
                return match if match.start() <= start else None
        return None

    def everywhere(self, content: bytes) -> Iterator[_Candidate]:
        """Every match of the expression."""
        if self.regex is not None:
            for match in self.regex.finditer(content):
                yield from self._secrets(content, match)

    def _secrets(self, content: bytes, match: re.Match[bytes]) -> Iterator[_Candidate]:
        whole = _Candidate(secret=match["secret"] or b"", start=match.start("secret"), end=match.end("secret"))
        if self.near is None:
            yield whole
            return
        for near in self.near.finditer(content, max(0, match.start() - _NEAR), match.end() + _NEAR):
            if "secret" not in self.near.groupindex:
                yield whole
                return
            if _entropy(near["secret"]) >= self.rule.entropy:
                yield _Candidate(secret=near["secret"], start=match.start(), end=match.end())
                return


# ---- readers


def _private_key(content: bytes, at: int) -> Iterator[_Candidate]:
    key = private_keys.key_at(content, at)
    if key is not None:
        yield _of_key(content, key)


def _putty_key(content: bytes, at: int) -> Iterator[_Candidate]:
    key = private_keys.putty_key_at(content, at)
    if key is not None:
        yield _of_key(content, key)


_SERVICE_ACCOUNT = re.compile(rb"\"private_key_id\"\s{0,20}:|\"type\"\s{0,20}:\s{0,20}\"service_account\"")


def _of_key(content: bytes, key: PrivateKey) -> _Candidate:
    reasons = {True: "encrypted with a passphrase", None: "whether a passphrase protects it can't be told"}
    kind = key.kind
    if _SERVICE_ACCOUNT.search(content, max(0, key.start - _NEAR), key.end + _NEAR):
        kind = "Google Cloud service account key"
    return _Candidate(secret=key.secret, start=key.start, end=key.end, kind=kind, reason=reasons.get(key.encrypted))


_BASE64_RUN = re.compile(rb"[A-Za-z0-9+/]+={0,2}")


def _encoded_key(content: bytes, at: int) -> Iterator[_Candidate]:
    """PEM in base64, as Kubernetes has it in its configuration."""
    match = _BASE64_RUN.match(content, at, at + _ENCODED_MAX)
    if match is None:
        return
    text = _base64(match[0])
    place = text.find(private_keys.MARKER)
    for _ in range(8):
        if place < 0:
            break
        key = private_keys.key_at(text, place)
        if key is not None:
            found = _of_key(text, key)
            yield replace(found, start=at, end=match.end(), kind=f"{found.kind} in base64")
        place = text.find(private_keys.MARKER, place + 1)
    yield _Candidate(secret=b"", start=at, end=match.end())  # read to here, whatever it was


def _base64(text: bytes) -> bytes:
    """As much as can be decoded; in either alphabet."""
    digits = text.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    try:
        return base64.b64decode(digits[: len(digits) - (len(digits) % 4 == 1)] + b"==", validate=False)
    except (binascii.Error, ValueError):
        return b""


_WEB_TOKEN_DIGITS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
_WEB_TOKEN_REST = re.compile(
    rb"\.(?P<payload>eyJ[A-Za-z0-9_-]{5,6000})\.(?P<signature>[A-Za-z0-9_-]{40,1400})(?![A-Za-z0-9_-])"
)
_WEB_TOKEN_HEAD_MAX = 2048
_CLAIMS = frozenset(("iss", "sub", "aud", "exp", "nbf", "iat", "jti"))
"""What RFC 7519 has a token say of itself: one that says nothing of it shows a format and opens nothing."""
_SAMPLE_SUBJECT = "1234567890"
"""That of the sample at jwt.io, which documentation copies."""


def _web_token(content: bytes, at: int) -> Iterator[_Candidate]:
    """A signed JSON Web Token (RFC 7519); `at` is the dot before its payload."""
    rest = _WEB_TOKEN_REST.match(content, at)
    if rest is None:
        return
    before = content[max(0, at - _WEB_TOKEN_HEAD_MAX) : at]
    head = before[len(before.rstrip(_WEB_TOKEN_DIGITS)) :]
    head = head[max(0, head.find(b"eyJ")) :]
    header, payload = _json_object(_base64(head)), _json_object(_base64(rest["payload"]))
    if _CLAIMS.isdisjoint(payload) or header.get("alg") in (None, "none") or payload.get("sub") == _SAMPLE_SUBJECT:
        return
    expires = payload.get("exp")
    yield _Candidate(
        secret=head + rest[0],
        start=at - len(head),
        end=rest.end(),
        expires=int(expires) if isinstance(expires, int) and 0 < expires < 2**40 else None,
    )


def _json_object(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


_REGISTRY_AUTH = re.compile(rb"\"auth\"\s{0,20}:\s{0,20}\"(?P<secret>[A-Za-z0-9+/]{8,4000}={0,2})\"")


def _registry_login(content: bytes, at: int) -> Iterator[_Candidate]:
    """Docker's way to keep a registry's user and password: both in base64."""
    match = _REGISTRY_AUTH.match(content, at)
    if match is None:
        return
    user, colon, password = _base64(match["secret"]).partition(b":")
    if user and colon and password and (user + password).isascii() and (user + password).decode("ascii").isprintable():
        yield _Candidate(secret=password, start=match.start(), end=match.end(), guessable=True)


def _assignments(content: bytes, at: int) -> Iterator[_Candidate]:
    """Never called at a literal: see SecretSearch.everywhere."""
    yield from ()


_KEY_READERS = ("private-key", "putty-key", "encoded-key")
"""Those that have looked into what they found: words in its bytes are chance."""
READERS: Mapping[str, Reader] = {
    "private-key": _private_key,
    "putty-key": _putty_key,
    "encoded-key": _encoded_key,
    "web-token": _web_token,
    "registry-login": _registry_login,
    "assignments": _assignments,
}

_ASSIGNMENT = re.compile(
    rb"(?<![\w.-])(?P<name>[A-Za-z_][\w.-]{0,80})[ \t]?=[ \t]?"
    rb"(?:\"(?P<double>[^\"\n]{0,400})\"|'(?P<single>[^'\n]{0,400})'|(?P<bare>[^\s\"';&|]{0,400}))"
)


class _Assignments:
    """``NAME=value`` wherever it stands, with a name that tells a credential."""

    def __init__(self, named: NamedValues) -> None:
        self._names = re.compile(named.names, re.IGNORECASE)
        self._exempt = re.compile(named.exempt, re.IGNORECASE)
        self._open = re.compile(named.open, re.IGNORECASE)

    def tells(self, name: bytes, value: bytes) -> bool:
        return (
            bool(value)
            and self._names.fullmatch(name) is not None
            and self._exempt.fullmatch(name) is None
            and self._open.fullmatch(value) is None
        )

    def read(self, content: bytes) -> Iterator[_Candidate]:
        for match in _ASSIGNMENT.finditer(content):
            value = match["double"] or match["single"] or match["bare"] or b""
            if self.tells(match["name"], value):
                yield _Candidate(secret=value, start=match.start(), end=match.end(), guessable=True)


# ---- checksums

_BASE62 = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def base62_crc32(token: bytes) -> bool:
    """Whether the last six characters are the CRC-32 of the thirty before, in base 62: GitHub's and npm's tokens."""
    body, check = token[-36:-6], token[-6:]
    value = zlib.crc32(body)
    digits = bytearray()
    for _ in range(6):
        value, digit = divmod(value, 62)
        digits.append(_BASE62[digit])
    return bytes(reversed(digits)) == check


_BECH32 = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def bech32(text: bytes) -> bool:
    """Whether the checksum of a Bech32 text holds (BIP 173): age's keys."""
    prefix, _, data = text.lower().rpartition(b"1")
    values = (
        [byte >> 5 for byte in prefix]
        + [0]
        + [byte & 31 for byte in prefix]
        + [_BECH32.find(bytes((byte,))) for byte in data]
    )
    check = 1
    for value in values:
        if value < 0:
            return False
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_BECH32_GENERATOR):
            if top >> bit & 1:
                check ^= generator
    return check == 1


CHECKSUMS: Mapping[str, Callable[[bytes], bool]] = {"base62-crc32": base62_crc32, "bech32": bech32}


def _entropy(text: bytes) -> float:
    """Bits a character, by Shannon's measure over the text itself."""
    total = len(text)
    return -sum(count / total * log2(count / total) for count in Counter(text).values()) if total else 0.0
