"""A service on this machine that answers as a scenario says."""

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from adaptive_pkg.polling.client import PollingClient, request_limiter
from adaptive_pkg.settings.sources import PollingSettings

PATIENT = PollingSettings(timeout_seconds=10.0)


@asynccontextmanager
async def serving(handler, settings, clock):
    async def answer(request):
        service.requests.append(request)
        service.forms.append(dict(await request.post()))
        return await handler(request)

    service = SimpleNamespace(requests=[], forms=[], slept=[])
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)

    async def sleep(seconds):
        service.slept.append(seconds)

    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        service.url = str(server.make_url("")).rstrip("/")
        service.session = session
        service.client = PollingClient(
            "service", session, request_limiter(100, 1), settings, sleep=sleep, **clock
        )
        yield service


@pytest.fixture
def ask():
    """`ask(handler, scenario)`: run the scenario with the service's url, client and log of requests."""

    def run(handler, scenario, settings=PATIENT, **clock):
        async def whole():
            async with serving(handler, settings, clock) as service:
                return await scenario(service)

        return asyncio.run(whole())

    return run


@pytest.fixture
def say():
    """`say(status, body, headers)`: a handler that always answers the same."""

    def make(body, status=200, headers=None):
        async def handler(request):
            if isinstance(body, str):
                return web.Response(text=body, status=status, headers=headers)
            return web.json_response(body, status=status, headers=headers)

        return handler

    return make
