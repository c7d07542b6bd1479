"""Inflating: every compression, streams of many members, damage, digests, and the two bounds."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from compliance.errors import ComplianceError, FormatError, IntegrityError, LimitError
from compliance.ingest.compression import Inflater
from compliance.ingest.inflate import GZIP, PLAIN, RATIO_FREE_BYTES, ZSTD, sniff
from compliance.ingest.limits import DEFAULT_LIMITS
from tests.builders.layout import COMPRESSIONS

PACK = pytest.mark.parametrize("pack", list(COMPRESSIONS.values()), ids=["gzip", "zstd", "plain"])
CONTENT = bytes(range(256)) * 8192  # 2 MiB: more than one piece
Pack = Callable[[bytes], bytes]


@contextmanager
def inflater(stored: bytes, limit: int = 2**40, ratio: int = DEFAULT_LIMITS.inflation_ratio) -> Iterator[Inflater]:
    with closing(Inflater(io.BytesIO(stored), limit=limit, where="layer 1", ratio=ratio)) as opened:
        yield opened


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def inflated(stored: bytes) -> bytes:
    with inflater(stored) as opened:
        return opened.read(2**40)


class TestContent:
    @PACK
    def test_comes_out_as_it_went_in(self, pack: Pack) -> None:
        assert inflated(pack(CONTENT)) == CONTENT

    @PACK
    @given(sizes=st.lists(st.integers(0, 3 * 2**20), max_size=6))
    def test_pieces_of_any_size_are_the_content(self, pack: Pack, sizes: list[int]) -> None:
        with inflater(pack(CONTENT)) as opened:
            assert b"".join(opened.read(size) for size in [*sizes, 2**40]) == CONTENT
            assert opened.read(1) == b""

    @PACK
    def test_what_is_passed_over_is_counted_and_digested(self, pack: Pack) -> None:
        with inflater(pack(CONTENT)) as opened:
            assert opened.skip(1000) == 1000
            assert opened.read(16) == CONTENT[1000:1016]
            assert opened.skip(2**40) == len(CONTENT) - 1016
            opened.finish(digest(pack(CONTENT)), digest(CONTENT))

    @pytest.mark.parametrize("name", ["gzip", "zstd"])
    def test_streams_behind_each_other_are_one(self, name: str) -> None:
        pack = COMPRESSIONS[f"+{name}"]
        assert inflated(b"".join(pack(part) for part in (b"1 ", CONTENT, b"", b" 2"))) == b"1 " + CONTENT + b" 2"

    def test_zstd_frame_that_is_to_be_skipped_is_skipped(self) -> None:
        skippable = b"\x50\x2a\x4d\x18\x05\x00\x00\x00hello"
        assert inflated(skippable + COMPRESSIONS["+zstd"](b"content")) == b"content"

    @pytest.mark.parametrize("head", [b"\x1f\x8b\x08", b"\x1f\x8b\x00"])
    def test_gzip_is_told_by_two_bytes(self, head: bytes) -> None:
        assert sniff(head) == GZIP

    @pytest.mark.parametrize(
        ("head", "kind"), [(b"", PLAIN), (b"\x1f", PLAIN), (b"\x28\xb5\x2f\xfd", ZSTD), (b"\x5f\x2a\x4d\x18", ZSTD)]
    )
    def test_compression_is_told_by_the_first_bytes(self, head: bytes, kind: str) -> None:
        assert sniff(head) == kind


class TestDamage:
    @PACK
    def test_digests_are_of_all_bytes_whatever_was_read(self, pack: Pack) -> None:
        with inflater(pack(CONTENT)) as opened:
            opened.read(10)
            opened.finish(digest(pack(CONTENT)), digest(CONTENT))
            assert (opened.stored_size, opened.inflated_size) == (len(pack(CONTENT)), len(CONTENT))

    @PACK
    @pytest.mark.parametrize("which", [0, 1])
    def test_other_digest_does_not_verify(self, pack: Pack, which: int) -> None:
        digests = [digest(pack(CONTENT)), digest(CONTENT)]
        digests[which] = digest(b"other")
        with inflater(pack(CONTENT)) as opened, pytest.raises(IntegrityError):
            opened.finish(*digests)

    @pytest.mark.parametrize("name", ["gzip", "zstd"])
    @pytest.mark.parametrize("kept", [1, 4, 9, 100, -1, -8])
    def test_stream_that_is_cut_off_is_never_the_content(self, name: str, kept: int) -> None:
        stored = COMPRESSIONS[f"+{name}"](CONTENT)
        with inflater(stored[:kept]) as opened, pytest.raises(ComplianceError) as caught:
            opened.finish(digest(stored), digest(CONTENT))
        assert caught.value.code in ("layer-corrupt", "digest-mismatch")

    def test_wrong_checksum_of_a_gzip_stream_is_damage(self) -> None:
        stored = bytearray(gzip.compress(b"content"))
        stored[-5] ^= 1
        with pytest.raises(FormatError, match="damaged"):
            inflated(bytes(stored))

    @pytest.mark.parametrize("name", ["gzip", "zstd"])
    @given(at=st.integers(0, 300), value=st.integers(1, 255))
    def test_changed_byte_is_never_unnoticed(self, name: str, at: int, value: int) -> None:
        content = b"".join(hashlib.sha256(bytes([number])).digest() for number in range(9))
        stored = COMPRESSIONS[f"+{name}"](content)
        damaged = bytearray(stored)
        damaged[at % len(stored)] ^= value
        with inflater(bytes(damaged)) as opened, pytest.raises(ComplianceError):
            opened.finish(digest(stored), digest(content))

    def test_bytes_behind_a_gzip_stream_are_told(self) -> None:
        with inflater(gzip.compress(b"content") + b"more") as opened:
            opened.finish(None, digest(b"content"))
            assert opened.trailing

    def test_zstd_window_above_what_zstd_itself_accepts_is_refused(self) -> None:
        # A frame header that asks for a window of 2 GiB, and no content (RFC 8878, 3.1.1.1).
        with pytest.raises(FormatError, match="zstd"):
            inflated(b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00")


class TestSize:
    @PACK
    def test_up_to_the_limit_is_read(self, pack: Pack) -> None:
        with inflater(pack(CONTENT), limit=len(CONTENT)) as opened:
            assert opened.read(2**40) == CONTENT

    @PACK
    def test_one_byte_more_is_refused_by_the_limits_name(self, pack: Pack) -> None:
        with inflater(pack(CONTENT), limit=len(CONTENT) - 1) as opened, pytest.raises(LimitError) as caught:
            opened.read(2**40)
        assert caught.value.code == "limit-exceeded"
        assert "layer_bytes" in str(caught.value)

    @PACK
    def test_limit_holds_where_content_is_passed_over_or_only_digested(self, pack: Pack) -> None:
        with inflater(pack(CONTENT), limit=len(CONTENT) - 1) as opened, pytest.raises(LimitError):
            opened.skip(2**40)
        with inflater(pack(CONTENT), limit=len(CONTENT) - 1) as opened, pytest.raises(LimitError):
            opened.finish(None, None)


class TestRatio:
    """Zeros pack best; the numbers are those of the libraries here."""

    def zeros(self, size: int, name: str) -> bytes:
        if name == "zstd":
            return zstandard.ZstdCompressor(level=19).compress(bytes(size))
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        return packer.compress(bytes(size)) + packer.flush()

    def test_the_best_that_deflate_can_is_read(self) -> None:
        size = RATIO_FREE_BYTES + 2**20
        stored = self.zeros(size, "gzip")
        assert size / len(stored) > 1020
        with inflater(stored) as opened:
            assert opened.skip(2**40) == size

    def test_more_than_deflate_can_is_refused_by_the_limits_name(self) -> None:
        size = RATIO_FREE_BYTES + 2**20
        stored = self.zeros(size, "zstd")
        assert size / len(stored) > 10_000
        with inflater(stored) as opened, pytest.raises(LimitError) as caught:
            opened.skip(2**40)
        assert "inflation_ratio" in str(caught.value)

    def test_any_ratio_is_read_up_to_the_bytes_that_nobody_minds(self) -> None:
        with inflater(self.zeros(RATIO_FREE_BYTES, "zstd")) as opened:
            assert opened.skip(2**40) == RATIO_FREE_BYTES

    @pytest.mark.parametrize("more", [-1, 0, 1])
    def test_ratio_is_compared_with_all_stored_bytes(self, more: int) -> None:
        size = RATIO_FREE_BYTES + 2**20
        stored = self.zeros(size, "gzip")
        exact = -(-size // len(stored))  # the smallest whole ratio that lets it pass
        with inflater(stored, ratio=exact + more) as opened:
            if more < 0:
                with pytest.raises(LimitError):
                    opened.skip(2**40)
            else:
                assert opened.skip(2**40) == size
