"""Ask a timestamp authority (RFC 3161) over HTTP for its word on when something was there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography import x509

from compliance.errors import SigningError, UsageError

if TYPE_CHECKING:
    from asn1crypto import tsp

ANSWER_SIZE_MAX = 64 * 2**10
TIMEOUT_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TimestampService:
    """A timestamp authority at `url`. With its `roots` what is needed to verify it later can be put beside it."""

    url: str
    roots: tuple[x509.Certificate, ...] = ()

    def __post_init__(self) -> None:
        """Raises UsageError for a URL of another kind: the authority's signature is what counts, so http will do."""
        if not self.url.startswith(("http://", "https://")):
            raise UsageError("not an http: or https: URL", code="usage", where=self.url)

    def answer(self, request: bytes) -> bytes:
        """The TimeStampResp to a TimeStampReq (section 3.4). Raises SigningError; follows no redirect."""
        import urllib3

        headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
        try:
            response = urllib3.request(
                "POST",
                self.url,
                body=request,
                headers=headers,
                timeout=TIMEOUT_SECONDS,
                retries=False,
                redirect=False,
                preload_content=False,
            )
            try:
                content = response.read(ANSWER_SIZE_MAX + 1)
            finally:
                response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._failed(f"it can't be reached ({type(error).__name__})") from None
        if response.status not in (200, 201):
            raise self._failed(f"it answers with status {response.status}")
        if len(content) > ANSWER_SIZE_MAX:
            raise self._failed(f"its answer has more than {ANSWER_SIZE_MAX} bytes")
        return content

    def _failed(self, why: str) -> SigningError:
        return SigningError(
            f"no timestamp from the timestamp authority: {why}", code="timestamp-failed", where=self.url
        )


def time_stamper(service: TimestampService) -> Any:
    """`service` as pyHanko asks it."""
    from asn1crypto import tsp
    from pyhanko.sign.timestamps import TimeStamper

    class Service(TimeStamper):  # type: ignore[misc, unused-ignore]
        async def async_request_tsa_response(self, req: tsp.TimeStampReq) -> tsp.TimeStampResp:
            answer = tsp.TimeStampResp.load(service.answer(req.dump()))
            stamped = answer["time_stamp_token"]["content"]["encap_content_info"]["content"].parsed
            if stamped["message_imprint"].dump() != req["message_imprint"].dump():
                raise SigningError(
                    "the timestamp authority stamped something else", code="timestamp-failed", where=service.url
                )
            return answer

    return Service()  # type: ignore[no-untyped-call]
