"""Every way to ask: from threads and from asyncio, over gRPC and REST."""

import asyncio

import pytest

from roadworthy.serving.client import AsyncClient, Client


@pytest.fixture(params=["grpc", "rest"])
def transport(request):
    return request.param


@pytest.fixture(params=["threads", "asyncio"])
def ask(request, transport):
    """Asks one question of a server in a client of its own."""

    def from_threads(address, method, *given, options, **named):
        with Client.open(address, transport=transport, **options) as client:
            return getattr(client, method)(*given, **named)

    async def from_asyncio(address, method, *given, options, **named):
        async with AsyncClient.open(address, transport=transport, **options) as client:
            return await getattr(client, method)(*given, **named)

    def asked(address, method, *given, options=None, **named):
        if request.param == "threads":
            return from_threads(address, method, *given, options=options or {}, **named)
        return asyncio.run(from_asyncio(address, method, *given, options=options or {}, **named))

    return asked
