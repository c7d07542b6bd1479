"""What leaves an assessment: its texts without the image's secrets, everything else as it was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compliance.model.image import ImageConfig, Layer
from compliance.model.outcome import CheckResult, Failed, Observation, ObservationKind, Unknown
from controls.withheld import WITHHELD, without_secrets
from tests.builders import credentials as make
from tests.builders.assessment import assessment

TOKEN = make.checked_token("ghp")
VALUE = "tr0ub4dor-3"


def given(config: ImageConfig, *observations: Observation, reason: str | None = None, created_by: str = ""):  # type: ignore[no-untyped-def]
    whole = assessment()
    layer = Layer(index=0, digest="sha256:0", diff_id="sha256:0", media_type="", size=1, created_by=created_by)
    image = replace(whole.evidence.image, config=config, layers=(layer,))
    outcome = Failed(observations=observations) if reason is None else Unknown(reason=reason, observations=observations)
    result = CheckResult(check=whole.results[0].check, outcome=outcome)
    return replace(whole, evidence=replace(whole.evidence, image=image), results=(result,))


def seen(summary: str, value: str | None = None) -> Observation:
    return Observation(summary=summary, kind=ObservationKind.NOTE, value=value)


def test_an_assessment_without_secrets_is_given_back_as_it_is() -> None:
    whole = given(ImageConfig(env={"PATH": "/bin"}, labels={"x": "y"}, user="65532"), seen("x", "/bin"))
    assert without_secrets(whole) == whole


@pytest.mark.parametrize(
    "config",
    [
        ImageConfig(env={"DB_PASSWORD": VALUE}),
        ImageConfig(labels={"db.password": VALUE}),
        ImageConfig(history=(f"RUN |1 DB_PASSWORD={VALUE} /bin/sh",)),
        ImageConfig(cmd=("--password", VALUE)),
        ImageConfig(on_build=(f"ENV DB_PASSWORD={VALUE}",)),
        ImageConfig(healthcheck=("CMD-SHELL", f"x --token {VALUE}")),
        ImageConfig(entrypoint=(f"https://x:{VALUE}@corp.internal",)),
    ],
)
def test_a_value_that_the_config_gives_away_is_nowhere_else_either(config: ImageConfig) -> None:
    clean = without_secrets(given(config, seen(f"It runs x {VALUE}.", VALUE), created_by=f"RUN echo {VALUE}"))
    assert VALUE not in repr(clean.evidence.image)
    assert VALUE not in repr(clean.results)
    assert clean.results[0].outcome.observations == (seen(f"It runs x {WITHHELD}.", WITHHELD),)
    assert clean.evidence.image.layers[0].created_by == f"RUN echo {WITHHELD}"


def test_a_token_is_taken_out_of_what_a_check_read_from_a_file() -> None:
    clean = without_secrets(given(ImageConfig(), seen(f"The script says {TOKEN}."), reason=f"of {TOKEN}"))
    assert clean.results[0].reason == f"of {WITHHELD}"
    assert clean.results[0].outcome.observations == (seen(f"The script says {WITHHELD}."),)


def test_a_key_is_taken_out_whole() -> None:
    pem = make.keys()["rsa"].decode()
    clean = without_secrets(given(ImageConfig(history=(f"RUN echo '{pem}'",)), seen("x")))
    assert clean.evidence.image.config is not None
    assert "\n" not in clean.evidence.image.config.history[0].removeprefix(f"RUN echo '{WITHHELD}").split("END")[0]
    assert pem.splitlines()[3] not in repr(clean.evidence.image)


def test_a_plain_word_stays_where_it_is_a_word() -> None:
    config = ImageConfig(env={"POSTGRES_PASSWORD": "postgres"}, cmd=("postgres",))
    clean = without_secrets(given(config, seen("The package postgres is there.")))
    assert clean.results[0].outcome.observations == (seen("The package postgres is there."),)
    assert clean.evidence.image.config is not None
    assert clean.evidence.image.config.cmd == ("postgres",)
