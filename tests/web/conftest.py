"""The service that most tests over HTTP talk to, and a way to make others."""

from collections.abc import AsyncIterator, Callable

import pytest

from .support import Service


@pytest.fixture
async def make_service() -> AsyncIterator[Callable[..., Service]]:
    made: list[Service] = []

    def make(**options: object) -> Service:
        made.append(Service(**options))
        return made[-1]

    yield make
    for service in made:
        await service.aclose()


@pytest.fixture
async def service(make_service: Callable[..., Service]) -> Service:
    return make_service(public=["/", "/static/*"])
