"""Signatures over a file that is no image, by the same steps: the file's digest takes the place of the image's."""

from __future__ import annotations

import hashlib

from compliance.errors import VerificationError
from compliance.model.image import AttachedArtifact, AttachedBlob, AttachmentSource, Descriptor, Image
from compliance.model.reference import ImageReference, Scheme
from compliance.model.verification import PolicyState, Signature, Verdict, Verification

BUNDLE_SUFFIX = ".sigstore.json"
"""A bundle lies beside the file that it signs, under the file's name with this behind it."""
_TYPE = "application/octet-stream"


def file_image(name: str, content: bytes, bundle: bytes | None) -> Image:
    """What the verifier needs of a file: its digest, and the bundle as attached to it."""
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return Image(
        reference=ImageReference(scheme=Scheme.DIR, target=name),
        digest=digest,
        media_type=_TYPE,
        platform=None,
        manifest=b"",
        config_digest=None,
        config_bytes=b"",
        config=None,
        layers=(),
        attached=() if bundle is None else (_attached(f"{name}{BUNDLE_SUFFIX}", bundle),),
    )


def signer_in(verification: Verification, name: str) -> str | None:
    """Who signed the file called `name`, verified; None where no signer was named.

    Raises VerificationError where a signer was named and none of them signed it.
    """
    policy = verification.policy
    good = [one for one in verification.signatures if one.verdict is Verdict.VERIFIED]
    if policy is not None and policy.state is not PolicyState.HELD:
        raise _not_signed(name, f"the trust policy does not hold for it: {_why(verification) or policy.reason}")
    if not verification.demand.made:
        return None
    if not good:
        raise _not_signed(name, _why(verification) or "no signature is in the bundle beside it")
    return _signer(good[0])


def _attached(name: str, bundle: bytes) -> AttachedArtifact:
    descriptor = Descriptor(media_type=_TYPE, digest=f"sha256:{hashlib.sha256(bundle).hexdigest()}", size=len(bundle))
    blob = AttachedBlob(descriptor=descriptor, content=bundle)
    return AttachedArtifact(source=AttachmentSource.FILE, name=name, artifact_type=None, annotations={}, blobs=(blob,))


def _why(verification: Verification) -> str:
    reasons = [one.reason for one in verification.signatures] + [why for _, why in verification.unreadable]
    return "; ".join(dict.fromkeys(reason.replace("another image", "another file") for reason in reasons))


def _signer(signature: Signature) -> str:
    signer = signature.signer
    return signer.identity or f"key {signer.key_id}"


def _not_signed(name: str, why: str) -> VerificationError:
    return VerificationError(
        f"the file's signature does not verify: {why}",
        code="file-not-signed",
        where=name,
        hint="sign the file again (cosign sign-blob --bundle FILE.sigstore.json), or do not use it",
    )
