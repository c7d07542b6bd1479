"""A Sigstore instance of the tests' own, in a network of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.builders.layout import Layout
from tests.builders.private_network import private_network
from tests.builders.registry_push import Pusher
from tests.builders.registry_server import Server
from tests.builders.sigstore_stack import SigstoreStack, sigstore_stack

NewImage = Callable[[Server], str]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SigstoreStack]:
    with private_network(), sigstore_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="module")
def new_image(stack: SigstoreStack, tmp_path_factory: pytest.TempPathFactory) -> NewImage:
    """`new_image(server)` pushes an image into a repository of its own; its reference, by digest."""
    layout = Layout(root=tmp_path_factory.mktemp("image"))
    digest = layout.add_image(({"etc/os-release": "ID=demo\n"},))["digest"]
    numbers = itertools.count()

    def push(server: Server) -> str:
        name = f"image-{next(numbers)}"
        Pusher(url=server.url, name=name).layout(layout.root)
        return f"{server.host}/{name}@{digest}"

    return push


@pytest.fixture(scope="module", params=["referrers", "plain"], ids=["referrers API", "fallback tag"])
def server(request: pytest.FixtureRequest, stack: SigstoreStack) -> Server:
    """A registry with the referrers API, and one that needs the fallback tag."""
    chosen: Server = getattr(stack, request.param)
    return chosen


@pytest.fixture(scope="module")
def predicate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("predicate") / "predicate.json"
    path.write_text('{"result": "of a test"}')
    return path
