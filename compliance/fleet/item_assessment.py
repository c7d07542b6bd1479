"""One image assessed, its documents kept and its record computed: what the process of one image does."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from compliance.errors import ComplianceError, IntegrityError, StoreError
from compliance.fleet.job import Answer, Failure, Job, Trouble
from compliance.formats.plain_text import plain_text

if TYPE_CHECKING:
    from compliance.model.fleet import AssessmentRecord
    from compliance.pipeline import Options

REASON_MAX = 1000
_FULL = (errno.ENOSPC, errno.EDQUOT)


def options_of(job: Job) -> Options:
    """The options of the job's assessment. The only clock is the fleet's: the result must not tell when it was made.

    Raises ComplianceError.
    """
    return job.policy.options(
        now=job.effective, effective=job.effective, cache=job.cache, registry=job.registry, limits=job.limits
    )


def assess_item(job: Job, options: Options) -> Answer:
    """Assess; whatever goes wrong is a part of the answer, but for MemoryError."""
    try:
        return Answer(record=_record(job, options))
    except MemoryError:
        raise
    except Exception as error:
        if str(error) == "can't start new thread":  # there is no memory for its stack; it has no class of its own
            raise MemoryError from error
        return Answer(failure=failure_of(error))


def failure_of(error: Exception) -> Failure:
    """What an error means for the item."""
    from compliance.ingest.transport import TransientError

    if not isinstance(error, ComplianceError):
        trouble = Trouble.STORE if getattr(error, "errno", None) in _FULL else Trouble.IMAGE
        code = "disk-full" if trouble is Trouble.STORE else "internal-error"
        return Failure(trouble=trouble, code=code, reason=_one_line(f"{type(error).__name__}: {error}"))
    if isinstance(error, TransientError):
        return Failure(trouble=Trouble.MOMENT, code=error.code, reason=_one_line(str(error)), pause=error.pause)
    trouble = Trouble.STORE if isinstance(error, StoreError) else Trouble.IMAGE
    return Failure(trouble=trouble, code=error.code, reason=_one_line(str(error)))


def _one_line(text: str) -> str:
    """What an image, a registry or a library had to say, fit for a row and a terminal."""
    return plain_text(text, REASON_MAX)


def _record(job: Job, options: Options) -> AssessmentRecord:
    from compliance.pipeline import assess, sbom
    from compliance.store.assessment_record import record_of
    from reports.assessment_json import document
    from reports.exporter import FORMATS

    assessment = assess(job.item.reference, options)
    found = assessment.evidence.image.digest
    if found != job.item.digest:
        raise IntegrityError(
            f"the image is another now: {found} instead of {job.item.digest}",
            code="digest-mismatch",
            where=job.item.reference,
            hint="it was replaced after the population was resolved",
        )
    told = FORMATS["json"].render(document(assessment))
    bill = sbom(assessment.evidence)
    record = record_of(told, bill, policy=job.item.policy)
    # The documents first: whoever knows a record may look for them.
    job.blobs.put(told)
    job.blobs.put(bill)
    return record
