"""Write an evidence bundle: the whole folder or nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from compliance.errors import ComplianceError, StoreError
from compliance.formats.plain_text import plain_text
from compliance.formats.signed_json import read_object
from compliance.store.bundle_manifest import (
    ASSESSMENT,
    MANIFEST,
    MANIFEST_SIZE_MAX,
    is_bundle_path,
    read_manifest,
    render_manifest,
)


def write_bundle(directory: Path, files: Mapping[str, bytes], *, replace_own: bool = True) -> None:
    """Write `files` (path in the bundle to content, among them assessment.json) and their manifest.json.

    They appear at `directory` all at once. What is there already is replaced only when `replace_own` and it is
    an evidence bundle with nothing else in it, or empty. If anything fails, what was there stays.

    Raises StoreError, FormatError when assessment.json is none.
    """
    if ASSESSMENT not in files or MANIFEST in files:
        raise StoreError(f"a bundle has {ASSESSMENT}, and gets {MANIFEST} here", code="bundle-incomplete")
    for path in files:
        if not is_bundle_path(path):
            raise StoreError("not a path inside an evidence bundle", code="path-unsafe", where=path)
    manifest = render_manifest(files, read_object(files[ASSESSMENT], ASSESSMENT))
    _check_replaceable(directory, replace_own=replace_own)
    _write(directory, {**files, MANIFEST: manifest})


def write_files(directory: Path, files: Mapping[str, bytes]) -> None:
    """Write `files` of a bundle as they are, whatever they say, to a folder that is new or empty.

    They appear all at once. Raises StoreError, also for a path that leads out of the folder.
    """
    for path in files:
        if not is_bundle_path(path):
            raise StoreError("not a path inside an evidence bundle", code="path-unsafe", where=plain_text(path))
    _check_replaceable(directory, replace_own=False)
    _write(directory, files)


def _write(directory: Path, files: Mapping[str, bytes]) -> None:
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        # Beside its destination, so that both are on one file system and a rename is atomic.
        temporary = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", suffix=".new", dir=directory.parent))
        try:
            _write_files(temporary, files)
            _put_in_place(temporary, directory)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        _sync_directory(directory.parent)
    except OSError as error:
        raise StoreError(
            f"the evidence bundle can't be written: {error.strerror}", code="bundle-unwritable", where=str(directory)
        ) from None


def _check_replaceable(directory: Path, *, replace_own: bool) -> None:
    """Refuse to take away anything that is not an evidence bundle of ours."""
    if not directory.is_symlink() and not directory.exists():
        return
    if directory.is_symlink() or not directory.is_dir():
        raise StoreError("something that is no folder is in the way", code="bundle-in-the-way", where=str(directory))
    there = set(_files_below(directory))
    if not there:
        return
    if not replace_own:
        raise StoreError("there is something already", code="bundle-in-the-way", where=str(directory))
    try:
        manifest = directory / MANIFEST
        if manifest.stat(follow_symlinks=False).st_size > MANIFEST_SIZE_MAX:
            raise StoreError("its manifest is too large", code="bundle-in-the-way", where=str(directory))
        listed = {file.path for file in read_manifest(manifest.read_bytes()).files}
    except (OSError, ComplianceError):
        raise StoreError(
            "a folder that is no evidence bundle is in the way",
            code="bundle-in-the-way",
            where=str(directory),
            hint="name a new or an empty folder",
        ) from None
    strange = sorted(there - listed - {MANIFEST})
    if strange:
        raise StoreError(
            f"the evidence bundle there also holds {strange[0]}, which would be lost",
            code="bundle-in-the-way",
            where=str(directory),
            hint="move it away, or name another folder",
        )


def _files_below(directory: Path) -> Iterator[str]:
    """Everything below that is not a folder, as paths relative to it."""
    for folder, names, files in os.walk(directory):
        links = [name for name in names if Path(folder, name).is_symlink()]
        for name in (*files, *links):
            yield Path(folder, name).relative_to(directory).as_posix()


def _write_files(root: Path, files: Mapping[str, bytes]) -> None:
    root.chmod(0o755)
    for path in sorted(files):
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as file:
            file.write(files[path])
            file.flush()
            os.fsync(file.fileno())
    for folder in {(root / path).parent for path in files} | {root}:
        _sync_directory(folder)


def _put_in_place(temporary: Path, directory: Path) -> None:
    """Rename `temporary` to `directory`. A rename does not replace a folder with content, so that is moved aside.

    Between the two renames there is no bundle for a moment, but never half of one.
    """
    if not directory.exists():
        temporary.rename(directory)
        return
    aside = temporary.with_suffix(".old")
    directory.rename(aside)
    try:
        temporary.rename(directory)
    except OSError:
        aside.rename(directory)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
