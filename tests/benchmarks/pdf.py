"""CPU seconds, memory and pages of report.pdf, made from an assessment.json: `python -m tests.benchmarks.pdf`.

The samples, each image of `make bench` that is there, and a sample against a single framework, which gives about ten
pages. Each in a process of its own, its start and imports counted; the best of some runs, as other work on the machine
only slows. Names of images to measure may be given.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.measure import Command, run

CHECKOUT = Path(__file__).resolve().parents[2]
HULLMARK = CHECKOUT / ".venv" / "bin" / "hullmark"
ROUNDS = 5
_ANSWERS = (0, 10, 11)


def main() -> None:
    """Measure each image, print a line each."""
    sys.stdout.write(f"{'image':24} {'pages':>5} {'CPU s':>6} {'MiB':>5} {'kB':>6}\n")
    with tempfile.TemporaryDirectory() as folder:
        for name, image, arguments in _images():
            if len(sys.argv) == 1 or name in sys.argv[1:]:
                _line(name, _assessment(image, arguments, Path(folder) / f"{name}.json"), Path(folder))


def _images() -> list[tuple[str, Path, tuple[str, ...]]]:
    samples = CHECKOUT / "examples" / "images"
    found = [(path.name, path, ()) for path in sorted(samples.iterdir()) if path.is_dir()]
    built = [(path.parent.name, path, ()) for path in sorted(CHECKOUT.glob(".bench/images/*/oci"))]
    return [("one framework", samples / "hardened", ("--framework", "nist-800-190")), *found, *built]


def _assessment(image: Path, arguments: tuple[str, ...], file: Path) -> Path:
    argv = (str(HULLMARK), "assess", f"oci-dir:{image}", *arguments, "-q", "-o", "json")
    run(Command(argv=argv, environment=os.environ, answers=_ANSWERS), file, CHECKOUT)
    return file


def _line(name: str, assessment: Path, folder: Path) -> None:
    from pyhanko.pdf_utils.reader import PdfFileReader

    report = folder / "report.pdf"
    argv = (str(HULLMARK), "report", str(assessment), "-o", "pdf")
    runs = [run(Command(argv=argv, environment=os.environ), report, CHECKOUT) for _ in range(ROUNDS)]
    pages = int(PdfFileReader(io.BytesIO(report.read_bytes())).root["/Pages"]["/Count"])
    cpu, memory = min(one.cpu for one in runs), max(one.memory for one in runs)
    sys.stdout.write(f"{name:24} {pages:5} {cpu:6.2f} {memory:5.0f} {report.stat().st_size / 1000:6.0f}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
