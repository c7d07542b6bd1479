"""The files that a user names: read whole, bounded, and turned into what the pipeline takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from compliance.errors import FormatError, UsageError
from compliance.formats.user_file import read_file

if TYPE_CHECKING:
    from compliance.model.evidence import SuppliedReport
    from compliance.pipeline import Trust, WaiverFile
    from controls.definitions import GivenFile


def file_or_name(text: str, what: str) -> str | GivenFile:
    """A file, or the name of something that is installed or shipped."""
    return given_file(text, what) if is_path(text) else text


def given_file(text: str, what: str) -> GivenFile:
    """A file that says what an image is held against. Raises UsageError."""
    from controls.definitions import GivenFile

    path = Path(text)
    return GivenFile(name=text, content=read_file(path, what), beside=_beside(path))


def is_path(text: str) -> bool:
    """Whether `text` is meant as a file: it names one, or looks like it."""
    return "/" in text or text.endswith((".yaml", ".yml", ".json")) or Path(text).is_file()


def waiver_files(paths: Iterable[str]) -> tuple[WaiverFile, ...]:
    """Waiver files, with the bundles that lie beside them. Raises UsageError."""
    from compliance.pipeline import WaiverFile
    from compliance.verify.file_signature import BUNDLE_SUFFIX

    files = []
    for text in paths:
        bundle = Path(f"{text}{BUNDLE_SUFFIX}")
        content = read_file(Path(text), "waiver file")
        files.append(
            WaiverFile(name=text, content=content, bundle=read_file(bundle, "bundle") if bundle.exists() else None)
        )
    return tuple(files)


def supplied_reports(paths: Iterable[str]) -> tuple[SuppliedReport, ...]:
    """Reports about the image, each once. Raises UsageError for one that is no report known here, or damaged."""
    import hashlib

    from compliance.formats.scan_file import SCAN_FILE_MAX, read_scan_file
    from compliance.model.evidence import SuppliedReport

    reports: dict[str, SuppliedReport] = {}
    for path in paths:
        content = read_file(Path(path), "report", SCAN_FILE_MAX)
        try:
            read_scan_file(content)
        except FormatError as error:
            where = f"{path}: {error.where}" if error.where else path
            raise UsageError(
                f"can't use the report: {error.message}", code=error.code, where=where, hint=error.hint
            ) from None
        digest = hashlib.sha256(content).hexdigest()
        reports.setdefault(digest, SuppliedReport(name=path, sha256=digest, content=content))
    return tuple(reports.values())


def policy_trust(text: str) -> Trust:
    """A trust policy, with the keys and trusted roots that lie beside it. Raises UsageError, PolicyError."""
    from compliance.pipeline import Trust
    from compliance.verify.trust_policy_file import read_policy

    path = Path(text)
    return Trust(policy=read_policy(text, read_file(path, "trust policy"), _beside(path)), policy_file=text)


def _beside(path: Path) -> Callable[[str, int], bytes]:
    def beside(name: str, size_max: int) -> bytes:
        return read_file(path.parent / name, "file", size_max)

    return beside
