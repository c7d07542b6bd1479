"""What an image declares itself to be, and SC-VARIANT: whether that is so."""

from __future__ import annotations

import pytest

from compliance.model.evidence import ProfileSource, Variant
from compliance.model.filesystem import Unread
from compliance.model.image import ImageConfig
from compliance.model.outcome import Failed, Outcome, Passed, Unknown
from controls.checks.sc_variant import CHECK as SC_VARIANT
from controls.variant import declared_profile
from tests.builders.elf import static_program as elf
from tests.builders.evidence import ImageSpec, Node, evidence, image, program
from tests.builders.examiner import examiner

CUT = (Unread(path="", reason="the layer is cut short", layer=0),)
DHI = "com.docker.dhi."


@pytest.mark.parametrize(
    ("labels", "tag", "variant", "source"),
    [
        ({}, None, Variant.RUNTIME, ProfileSource.DEFAULT),
        ({"org.hullmark.image.variant": "dev"}, None, Variant.DEV, ProfileSource.LABEL),
        ({"org.hullmark.image.variant": "runtime"}, "3-dev", Variant.RUNTIME, ProfileSource.LABEL),
        ({"org.hullmark.image.variant": "anything"}, None, Variant.RUNTIME, ProfileSource.DEFAULT),
        ({f"{DHI}variant": "dev"}, None, Variant.DEV, ProfileSource.LABEL),
        ({f"{DHI}variant": "runtime"}, "1-dev", Variant.RUNTIME, ProfileSource.LABEL),
        ({f"{DHI}variant": "helm"}, None, Variant.RUNTIME, ProfileSource.DEFAULT),
        # Docker's own sdk images say variant=runtime and run as root.
        ({f"{DHI}variant": "runtime", f"{DHI}version": "9-sdk-debian13"}, None, Variant.SDK, ProfileSource.LABEL),
        ({f"{DHI}variant": "runtime", f"{DHI}version": "9-sdk"}, None, Variant.SDK, ProfileSource.LABEL),
        ({f"{DHI}definition": "image/dotnet/debian-13/9-sdk"}, None, Variant.SDK, ProfileSource.LABEL),
        ({}, "9-sdk-debian13", Variant.SDK, ProfileSource.TAG),
        ({}, "9.0-sdk", Variant.SDK, ProfileSource.TAG),
        ({}, "3.13-debian13-dev", Variant.DEV, ProfileSource.TAG),
        ({}, "3.13-sfw-ent-dev", Variant.DEV, ProfileSource.TAG),
        ({}, "3.13-dev-fips", Variant.DEV, ProfileSource.TAG),
        ({}, "dev", Variant.RUNTIME, ProfileSource.DEFAULT),
        ({}, "sdk", Variant.RUNTIME, ProfileSource.DEFAULT),
        ({}, "1-developer", Variant.RUNTIME, ProfileSource.DEFAULT),
        ({}, "1-sdks", Variant.RUNTIME, ProfileSource.DEFAULT),
        ({}, "3.13-compat", Variant.RUNTIME, ProfileSource.DEFAULT),
    ],
)
def test_the_declared_variant(labels: dict[str, str], tag: str | None, variant: Variant, source: ProfileSource) -> None:
    profile = declared_profile(image(ImageSpec(config=ImageConfig(labels=labels), tag=tag)))
    assert (profile.variant, profile.source) == (variant, source)
    assert (profile.declared is None) == (source is ProfileSource.DEFAULT)


def test_an_annotation_counts_as_a_label_and_a_root_filesystem_declares_nothing() -> None:
    annotated = ImageSpec(config=None, annotations={"org.hullmark.image.variant": "sdk"})
    assert declared_profile(image(annotated)).variant is Variant.SDK
    assert declared_profile(image(ImageSpec(config=None))).source is ProfileSource.DEFAULT


SHELL: dict[str, Node | bytes | str] = {
    "bin/sh": program(elf(b"BASH_VERSINFO\0GNU bash, version\0BASH_EXECUTION_STRING\0"))
}
APT: dict[str, Node | bytes | str] = {"usr/bin/apt-get": program(elf(b"apt"))}
CLEAN: dict[str, Node | bytes | str] = {"app/server": program(elf())}


def judged(  # labels are named without the prefix, "_" for "-"
    files: dict[str, Node | bytes | str],
    user: str = "65532:65532",
    variant: Variant = Variant.RUNTIME,
    unread: tuple[Unread, ...] = (),
    **labels: str,
) -> Outcome:
    config = ImageConfig(user=user, labels={DHI + key.replace("_", "-"): value for key, value in labels.items()})
    source = ProfileSource.LABEL if variant is not Variant.RUNTIME else ProfileSource.DEFAULT
    return SC_VARIANT.run(
        evidence(
            CLEAN | files,
            config=config,
            variant=variant,
            source=source,
            declared="label x=y",
            unread=unread,
            examiner=examiner(),
        )
    )


def test_a_runtime_image_without_tools_and_root_passes() -> None:
    outcome = judged({})
    assert isinstance(outcome, Passed)
    assert "Nothing declares what the image is for" in outcome.observations[0].summary


def test_an_undeclared_shell_or_root_fails_with_labels_and_without() -> None:
    assert isinstance(judged(SHELL), Failed)
    assert isinstance(judged(SHELL, shell=""), Failed)
    assert isinstance(judged(SHELL, shell="zsh"), Failed)  # noqa: S604
    assert isinstance(judged({}, user="0"), Failed)
    assert isinstance(judged({}, user="0", runtime_root_required="false"), Failed)


def test_what_a_label_declares_is_allowed_and_named_as_a_claim() -> None:
    outcome = judged(SHELL, shell="bash")  # noqa: S604
    assert isinstance(outcome, Passed)
    assert any("unsigned" in seen.summary for seen in outcome.observations)
    assert isinstance(judged({}, user="", runtime_root_required="true"), Passed)


def test_a_package_manager_fails_or_is_declared() -> None:
    assert not isinstance(judged(APT), Passed)
    assert not isinstance(judged(APT, package_manager="apk"), Passed)


def test_dev_and_sdk_may_hold_anything_and_say_what() -> None:
    outcome = judged(SHELL, user="0", variant=Variant.DEV)
    assert isinstance(outcome, Passed)
    assert "1 " in outcome.observations[1].summary


def test_less_evidence_never_gives_a_pass() -> None:
    assert isinstance(judged({}, unread=CUT), Unknown)
    assert isinstance(judged(SHELL, unread=CUT), Failed)
    assert isinstance(judged({}, user="node-app"), Unknown)
    assert isinstance(SC_VARIANT.run(evidence(CLEAN, without_config=True, examiner=examiner())), Unknown)
