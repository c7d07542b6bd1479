"""``hullmark sbom``: only the bill of materials."""

from __future__ import annotations

from compliance.cli import options, output, progress


def command(
    image: options.ImageArgument,
    outputs: options.Output = None,
    platform: options.PlatformOption = None,
    effective_time: options.EffectiveTime = None,
    quiet: options.Quiet = False,
    no_progress: options.NoProgress = False,
    offline: options.Offline = False,
) -> None:
    """Write the image's software bill of materials."""
    from compliance.pipeline import Options, gather, sbom

    targets = output.parse_targets(outputs, ("cyclonedx-json",), "cyclonedx-json")
    now, effective = options.clock(effective_time)
    watcher = progress.watcher(quiet=quiet, no_progress=no_progress)
    try:
        chosen = Options(platform=options.parse_platform(platform), now=now, effective=effective)
        evidence = gather(image, chosen, watcher)
        content = sbom(evidence)
    finally:
        watcher.close()
    if not quiet:
        output.say_notices(evidence.image, verbose=False)
    for target in targets:
        output.write(target, content)
