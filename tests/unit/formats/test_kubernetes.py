"""Images that Kubernetes objects name: every shape, every kind of container, and files that mean harm."""

from __future__ import annotations

import json

import pytest
import yaml

from compliance.errors import ComplianceError, FormatError, LimitError
from compliance.formats import kubernetes
from compliance.formats.kubernetes import WorkloadImage, workload_images

DIGEST = "sha256:" + "a" * 64
POD = {"initContainers": [{"name": "i", "image": "r/i:1"}], "containers": [{"name": "c", "image": "r/c:1"}]}


def thing(kind: str, spec: object, namespace: str | None = "ns") -> dict[str, object]:
    metadata = {"name": "x", **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}


def seen(content: bytes) -> list[tuple[str, str]]:
    return [(one.workload, one.image) for one in workload_images(content)]


@pytest.mark.parametrize(
    "kind", ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "ReplicationController", "Rollout"]
)
def test_what_makes_pods_is_read(kind: str) -> None:
    content = yaml.safe_dump(thing(kind, {"template": {"spec": POD}})).encode()
    assert seen(content) == [(f"{kind} ns/x/i", "r/i:1"), (f"{kind} ns/x/c", "r/c:1")]


def test_pods_and_cronjobs_and_lists_and_other_documents() -> None:
    items = [
        thing("Pod", {**POD, "ephemeralContainers": [{"name": "e", "image": "r/e"}]}, None),
        thing("CronJob", {"jobTemplate": {"spec": {"template": {"spec": POD}}}}),
        thing("Service", {"ports": []}),
        thing("ConfigMap", None),
        {"kind": "PodTemplate", "metadata": {"name": "t"}, "template": {"spec": POD}},
    ]
    expected = [
        ("default/x/i", "r/i:1"),
        ("default/x/c", "r/c:1"),
        ("default/x/e", "r/e"),
        ("CronJob ns/x/i", "r/i:1"),
        ("CronJob ns/x/c", "r/c:1"),
        ("PodTemplate default/t/i", "r/i:1"),
        ("PodTemplate default/t/c", "r/c:1"),
    ]
    documents = yaml.safe_dump_all(items).encode()
    assert seen(documents) == seen(b"---\n# nothing\n---\n" + documents + b"\n---\nnull\n") == expected
    assert seen(json.dumps({"kind": "List", "items": items}).encode()) == expected
    assert seen(yaml.safe_dump({"kind": "PodList", "items": [{"items": items}]}).encode()) == expected


@pytest.mark.parametrize(
    ("image_id", "running", "reported"),
    [
        (f"docker.io/library/app@{DIGEST}", DIGEST, True),
        (f"docker-pullable://r/app@{DIGEST}", DIGEST, True),
        (DIGEST, None, True),  # the config's digest: no registry knows it
        ("a" * 64, None, True),
        ("", None, False),
        (None, None, False),
        (f"r/app@{DIGEST}0", None, True),
        (f"r/app@{DIGEST}\nx", None, True),
    ],
)
def test_what_a_cluster_says_runs(image_id: str | None, running: str | None, reported: bool) -> None:
    pod = thing("Pod", {"containers": [{"name": "app", "image": "r/app:1"}, {"name": "other", "image": "r/other:1"}]})
    pod["status"] = {"containerStatuses": [{"name": "app", "imageID": image_id, "image": "r/app:1"}]}
    assert workload_images(json.dumps(pod).encode()) == (
        WorkloadImage(workload="ns/x/app", image="r/app:1", running=running, reported=reported),
        WorkloadImage(workload="ns/x/other", image="r/other:1"),
    )


def test_a_container_without_an_image_is_told_of() -> None:
    content = yaml.safe_dump(
        thing("Pod", {"containers": [{"name": "a"}, {"image": "r/b"}, {"name": "c", "image": [1]}]})
    )
    assert seen(content.encode()) == [("ns/x/a", ""), ("ns/x/-", "r/b"), ("ns/x/c", "")]


def test_names_can_not_steer_a_terminal() -> None:
    content = yaml.safe_dump(thing("Pod\x1b[2J\n", {"containers": [{"name": "a\u202eb", "image": "r/a"}]})).encode()
    assert all(workload.isprintable() for workload, _ in seen(content))


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b'{"items": [',
        b"a: b: c",
        b"a: [",
        b"\xff\xfe\xff",
        b"a: \x00",
        b"image: {{ .Values.image }}\n",
        b"[" * 100_000,
        b"{" * 100_000,
        b'{"a":' * 100_000,
        b"&a [*a]",
        b"? [a]\n: b\n? {c: d}\n: e",
    ],
)
def test_what_is_neither_json_nor_yaml_is_one_error(content: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        workload_images(content)
    assert caught.value.code == "kubernetes-invalid"
    assert "\n" not in str(caught.value)


def test_aliases_can_not_make_a_small_file_large() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(20)
    )
    assert workload_images(bomb.encode()) == ()
    merged = "a: &a {x: 1}\n" + "".join(
        f"b{n}: &{chr(98 + n)} {{<<: [*{chr(97 + n)}, *{chr(97 + n)}]}}\n" for n in range(24)
    )
    assert workload_images(merged.encode()) == ()
    items = "x: &a {items: [{kind: Pod, spec: {containers: [{name: c, image: r/c}]}}]}\n"
    items += "".join(f"y{n}: &{chr(98 + n)} {{items: [{', '.join([f'*{chr(97 + n)}'] * 9)}]}}\n" for n in range(12))
    with pytest.raises(LimitError, match="lists inside lists"):
        workload_images((items + "items: [*m]\n").encode())


def test_a_list_that_holds_itself_many_times_is_not_walked_forever() -> None:
    wide = (
        "a: &a ["
        + ", ".join(["x"] * 3000)
        + "]\nb: &b {items: *a}\nc: &c ["
        + ", ".join(["*b"] * 3000)
        + "]\nitems: *c\n"
    )
    with pytest.raises(LimitError, match="objects"):
        workload_images(wide.encode())


def test_more_than_anybody_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    content = json.dumps({"items": [thing("Pod", POD)] * 6}).encode()
    for name, value, words in (
        ("IMAGES_MAX", 11, "11 containers"),
        ("_LOOKS_MAX", 5, "5 objects"),
        ("FILE_MAX", 100, "100 bytes"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(kubernetes, name, value)
            with pytest.raises(LimitError, match=words):
                workload_images(content)
    assert len(workload_images(content)) == 12


def test_any_bytes_are_images_or_one_error() -> None:
    base = yaml.safe_dump(thing("Deployment", {"template": {"spec": POD}})).encode()
    messages: set[str] = set()
    for at in range(0, len(base), 3):
        for change in (b"", b"[", b"{", b"&a ", b"*a ", b"\x00", b"!!python/object:os.system ", b"- "):
            try:
                workload_images(base[:at] + change + base[at + 1 :])
            except ComplianceError as error:
                messages.add(str(error))
    assert not any("\n" in message for message in messages)
