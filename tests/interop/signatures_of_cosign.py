"""What cosign signs and attests with the services of a running instance, as specimens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tests.builders.identity_provider import WORKFLOW_IDENTITY
from tests.builders.registry_push import Pusher
from tests.builders.sigstore_stack import SigstoreStack
from tests.builders.specimen import TYPE, Form, Kind, Log, Specimen, Stamp
from tests.interop.signature_bench import Bench


def made_by_cosign(bench: Bench, stack: SigstoreStack) -> dict[str, Specimen]:
    """What cosign signs and attests with the services of a running instance."""
    return {specimen.kind.name: specimen for specimen in _made_by_cosign(bench, stack)}


def _made_by_cosign(bench: Bench, stack: SigstoreStack) -> Iterator[Specimen]:
    name = "made-bundles"
    Pusher(url=bench.server.url, name=name).layout(bench.layout.root)
    image = f"{bench.server.host}/{name}@{bench.images[0]}"
    private, public = stack.cosign.key_pair("table")
    predicate = bench.folder / "predicate.json"
    predicate.write_text('{"result": "of a test"}')
    for kind in _COSIGNS:
        signer = ("--key", private) if kind.keyed else ("--identity-token", stack.identities.workflow_token())
        attested = () if kind.form.signs else ("--type", TYPE, "--predicate", predicate)
        command = "sign" if kind.form.signs else "attest"
        good = Specimen(
            kind=kind,
            content=b"",
            image=bench.images[0],
            trusted_root=json.loads(stack.trusted_root.read_bytes()),
            key=public.read_bytes() if kind.keyed else None,
            identity="" if kind.keyed else WORKFLOW_IDENTITY,
            issuer="" if kind.keyed else stack.identities.workflow_issuer,
            ignore_log=kind.log is Log.NONE,
        )
        if kind.version:
            bundle = bench.folder / "made.json"
            config = _CONFIGS[kind.log, kind.stamp]
            services = ("--trusted-root", stack.trusted_root, "--signing-config", getattr(stack, config))
            stack.cosign.do(command, *signer, *services, *attested, "--bundle", bundle, "-y", image)
            yield replace(good, content=bundle.read_bytes())
        else:
            yield _old_layer(good, bench, stack, [command, *signer, *attested])


_CONFIGS = {
    (Log.NONE, Stamp.NONE): "nothing",
    (Log.NONE, Stamp.SIGNATURE): "stamps_only",
    (Log.V2, Stamp.SIGNATURE): "everything",
}
_COSIGNS = (
    *(Kind(form=form, keyed=True) for form in (Form.SIG, Form.ATT)),
    *(Kind(form=form, keyed=False, stamp=Stamp.SIGNATURE) for form in (Form.SIG, Form.ATT)),
    *(
        Kind(form=form, version="0.3", keyed=keyed, log=log, stamp=stamp)
        for keyed in (True, False)
        for form in (Form.SIGN, Form.STATEMENT)
        for log, stamp in _CONFIGS
        if keyed or stamp
    ),
)


def _old_layer(good: Specimen, bench: Bench, stack: SigstoreStack, command: list[str | Path]) -> Specimen:
    """The layer that cosign puts under its tag."""
    options: list[str | Path] = ["--use-signing-config=false", "--new-bundle-format=false", "--tlog-upload=false"]
    if good.kind.stamp:
        options += ["--fulcio-url", stack.fulcio, "--timestamp-server-url", stack.timestamps]
    name = "made-" + good.kind.name.translate({ord(sign): None for sign in "`., "})
    pusher = Pusher(url=bench.server.url, name=name)
    pusher.layout(bench.layout.root)
    stack.cosign.do(*command, *options, "-y", f"{bench.server.host}/{name}@{bench.images[0]}")
    manifest = json.loads(pusher.get("manifests", good.image.replace(":", "-") + good.kind.form))
    (layer,) = manifest["layers"]
    return replace(good, content=pusher.get("blobs", layer["digest"]), annotations=layer["annotations"])
