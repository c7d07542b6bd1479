"""What a fleet beyond this machine would cost: ``python -m tests.benchmarks.fleet_arithmetic --help``.

Images are drawn whose layers are shared as those of registries are: a few bases in very many images, a long tail in
one (Zipf). Each image is then read in the order in which `hullmark fleet run` works, through a layer cache of a given
size that drops what was not used for longest. What a read layer and an image cost are not guessed: they are the
figures that ``tests.benchmarks.fleet`` measured, given as options, and with ``--images`` and ``--layers`` of such a
run the result can be held against that run.
"""

from __future__ import annotations

import argparse
import sys
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

Images = list[tuple[int, ...]]
"""The layers of each image by number, lowest first; the lowest numbers are in the most images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What was measured of one image, one layer and one inflated megabyte."""

    image_cpu: float
    """Seconds of an image whose layers are all cached."""
    layer_cpu: float
    """Seconds of a layer that is read, however small."""
    megabyte_cpu: float
    """Seconds to fetch, inflate, digest and examine a megabyte (inflated)."""
    image_requests: float
    """Requests for an image whose layers are all cached; every layer that is read is one more."""
    image_store: float
    """Bytes in the database and the blobs for an image."""
    cached_megabyte: float
    """Bytes in the layer cache for an inflated megabyte."""
    ratio: float
    """Inflated bytes for one stored byte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """What a fleet takes with one size of the cache."""

    reads: int
    read_mb: float
    cpu_hours: float
    fetched_gb: float
    requests: float


def draw(images: int, layers: int, *, depth: float, exponent: float, seed: int) -> Images:
    """Images of at least one layer, `depth` on average; every layer is in one image at least.

    The chance of a layer falls with its number to the power of `exponent`.
    """
    rng = np.random.default_rng(seed)
    depths = 1 + rng.poisson(depth - 1, images)
    chances = np.arange(1, layers + 1, dtype=float) ** -exponent
    drawn = np.searchsorted(np.cumsum(chances) / chances.sum(), rng.random(int(depths.sum()))).tolist()
    # The top layer is mostly an image's own: there the layers that nobody drew find their place.
    missing = iter(rng.permutation(np.setdiff1d(np.arange(layers), np.unique(drawn))).tolist())
    made: Images = []
    at = 0
    for count in depths.tolist():
        own = next(missing, None)
        made.append(tuple(sorted({*drawn[at : at + count - (own is not None)], *(() if own is None else (own,))})))
        at += count
    return made


def sizes(layers: int, *, median_mb: float, spread: float, seed: int) -> list[float]:
    """Inflated megabytes of each layer: log-normal, as sizes of files and layers are."""
    rng = np.random.default_rng(seed + 1)
    return list((median_mb * np.exp(spread * rng.standard_normal(layers))).tolist())


def working_order(images: Images) -> Iterator[tuple[int, ...]]:
    """As the run works: images on one base one after another."""
    return iter(sorted(images))


def total(images: Images, megabytes: Sequence[float], costs: Costs, cache_bytes: float) -> Total:
    """Go through the images with a cache of that size."""
    cached: OrderedDict[int, float] = OrderedDict()
    held = 0.0
    reads, read_mb = 0, 0.0
    for image in working_order(images):
        for layer in image:
            if layer in cached:
                cached.move_to_end(layer)
                continue
            reads += 1
            read_mb += megabytes[layer]
            cached[layer] = megabytes[layer] * costs.cached_megabyte
            held += cached[layer]
            while held > cache_bytes and len(cached) > 1:
                held -= cached.popitem(last=False)[1]
    return Total(
        reads=reads,
        read_mb=read_mb,
        cpu_hours=(len(images) * costs.image_cpu + reads * costs.layer_cpu + read_mb * costs.megabyte_cpu) / 3600,
        fetched_gb=read_mb / costs.ratio / 1000,
        requests=len(images) * costs.image_requests + reads,
    )


def main(arguments: Sequence[str]) -> None:
    """Draw, go through, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, kind, default, text in (
        ("images", int, 1_000_000, "images"),
        ("layers", int, 100_000, "distinct layers"),
        ("depth", float, 8.0, "layers of an image, on average"),
        ("exponent", float, 1.05, "how fast the chance of a layer falls with its rank"),
        ("median-mb", float, 6.0, "inflated megabytes of the median layer"),
        ("spread", float, 1.6, "standard deviation of the logarithm of a layer's size"),
        ("seed", int, 1, "of what is drawn"),
        ("image-cpu", float, None, "CPU seconds of an image whose layers are cached"),
        ("layer-cpu", float, None, "CPU seconds of a layer that is read, however small"),
        ("megabyte-cpu", float, None, "CPU seconds of an inflated megabyte that is read"),
        ("image-requests", float, None, "requests of an image whose layers are cached"),
        ("image-store", float, None, "bytes in the store for an image"),
        ("cached-megabyte", float, None, "bytes in the layer cache for an inflated megabyte"),
        ("ratio", float, 3.0, "inflated bytes for a stored byte"),
    ):
        parser.add_argument(f"--{name}", type=kind, default=default, required=default is None, help=text)
    parser.add_argument("--cache-gb", type=float, nargs="+", default=[2.0, 20.0, 200.0], help="sizes of the cache")
    given = parser.parse_args(arguments)
    costs = Costs(
        image_cpu=given.image_cpu,
        layer_cpu=given.layer_cpu,
        megabyte_cpu=given.megabyte_cpu,
        image_requests=given.image_requests,
        image_store=given.image_store,
        cached_megabyte=given.cached_megabyte,
        ratio=given.ratio,
    )
    images = draw(given.images, given.layers, depth=given.depth, exponent=given.exponent, seed=given.seed)
    megabytes = sizes(given.layers, median_mb=given.median_mb, spread=given.spread, seed=given.seed)
    distinct = sum(megabytes)
    out = sys.stdout.write
    out(
        f"{len(images):,} images, {given.layers:,} distinct layers of {distinct / 1e6:,.2f} TB inflated, "
        f"{sum(map(len, images)) / len(images):.1f} layers an image; "
        f"store {len(images) * costs.image_store / 1e9:,.1f} GB\n"
    )
    row = "{:>9} {:>12} {:>14} {:>10} {:>12} {:>14}\n"
    out(row.format("cache GB", "layers read", "read TB (infl.)", "CPU hours", "fetched TB", "requests M"))
    for cache in given.cache_gb:
        found = total(images, megabytes, costs, cache * 1e9)
        out(
            row.format(
                f"{cache:g}",
                f"{found.reads:,}",
                f"{found.read_mb / 1e6:,.2f}",
                f"{found.cpu_hours:,.0f}",
                f"{found.fetched_gb / 1000:,.2f}",
                f"{found.requests / 1e6:,.2f}",
            )
        )


if __name__ == "__main__":
    main(sys.argv[1:])
