"""Requests to a real service on this machine: what is tried again, what is not, and when it must wait."""

import asyncio

import pytest
from aiohttp import web

from adaptive_pkg.polling.client import PollingClient, request_limiter
from adaptive_pkg.polling.source import Failure, SourceError
from adaptive_pkg.settings.sources import PollingSettings


def failing(service, times=1):
    async def go():
        failures = []
        for _ in range(times):
            with pytest.raises(SourceError) as caught:
                await service.client.get(f"{service.url}/a")
            failures.append(caught.value)
        return failures

    return go()


def test_an_answer_is_its_json(ask, say):
    async def scenario(service):
        got = await service.client.get(f"{service.url}/a", {"q": "x y"}, {"User-Agent": "me"})
        posted = await service.client.post(f"{service.url}/b", {"k": "v"})
        return got, posted, service

    got, posted, service = ask(say({"ok": [1]}), scenario)
    assert got == posted == {"ok": [1]}
    assert service.requests[0].query["q"] == "x y" and service.requests[0].headers["User-Agent"] == "me"
    assert service.requests[1].method == "POST" and service.forms[1] == {"k": "v"}


def test_a_service_that_recovers_is_not_given_up_and_pauses_grow(ask):
    answers = iter([503, 500, 200])

    async def handler(request):
        return web.json_response({"n": 1}, status=next(answers))

    async def scenario(service):
        return await service.client.get(f"{service.url}/a"), service.slept

    assert ask(handler, scenario) == ({"n": 1}, [1.0, 2.0])


def test_a_service_that_stays_down_is_given_up_after_its_attempts(ask, say):
    async def scenario(service):
        (error,) = await failing(service)
        return error, len(service.requests)

    error, requests = ask(say("Bad Gateway", 502), scenario)
    assert error.failure is Failure.DOWN and "HTTP 502: Bad Gateway" in str(error) and requests == 3


@pytest.mark.parametrize(
    ("body", "status", "failure", "words"),
    [
        ({"error": "no"}, 401, Failure.REFUSED, "correct its key"),
        ({"error": "no"}, 403, Failure.REFUSED, "correct its key"),
        ({"code": -1121}, 400, Failure.REFUSED, "HTTP 400.*-1121"),
        ("", 302, Failure.REFUSED, "HTTP 302"),
        ("<html>checking your browser</html>", 200, Failure.MALFORMED, "no JSON: '<html>"),
        ("", 200, Failure.MALFORMED, "no JSON"),
        ("[" * 100_000, 200, Failure.MALFORMED, "no JSON"),
    ],
)
def test_a_refusal_or_nonsense_is_asked_for_once(ask, say, body, status, failure, words):
    async def scenario(service):
        (error,) = await failing(service)
        return error, len(service.requests)

    error, requests = ask(say(body, status), scenario)
    assert (error.failure, requests) == (failure, 1)
    with pytest.raises(SourceError, match=words):
        raise error


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "40"},
        {"x-rate-limit-reset": "1700000040"},  # X: epoch seconds
        {"X-Ratelimit-Reset": "40"},  # Reddit: seconds from now
    ],
)
def test_after_a_429_nothing_is_sent_until_its_reset(ask, say, headers):
    clock = [0.0]

    async def scenario(service):
        first, second = await failing(service, 2)
        sent = len(service.requests)
        clock[0] = 41.0
        # the limiter's own clock has not moved: a new one, as after 41 s
        service.client._limiter = request_limiter(100, 1)
        await failing(service)
        return first, second, sent, len(service.requests)

    first, second, sent, later = ask(
        say({}, 429, headers), scenario, wall=lambda: 1_700_000_000.0, monotonic=lambda: clock[0]
    )
    assert first.failure is second.failure is Failure.LIMITED
    assert "used up for 40 s more" in str(second)
    assert (sent, later) == (1, 2)


def test_the_limiter_hears_of_the_429_too(ask, say):
    async def scenario(service):
        await failing(service)
        return service.client._limiter.status()

    status = ask(say({}, 429, {"x-rate-limit-reset": "1700000040"}), scenario, wall=lambda: 1_700_000_000.0)
    assert status.refusals == 1 and status.blocked_seconds > 30


def test_an_answer_that_used_the_last_of_the_allowance_counts_and_the_next_waits(ask, say):
    headers = {"X-Ratelimit-Remaining": "0.0", "X-Ratelimit-Reset": "300"}

    async def scenario(service):
        got = await service.client.get(f"{service.url}/a")
        (error,) = await failing(service)
        return got, error, len(service.requests)

    got, error, requests = ask(say({"n": 1}, 200, headers), scenario)
    assert got == {"n": 1} and error.failure is Failure.LIMITED and requests == 1


@pytest.mark.parametrize("headers", [{"x-rate-limit-reset": "soon"}, {"Retry-After": "soon"}, {}])
def test_a_429_that_does_not_say_when_is_a_minute(ask, say, headers):
    async def scenario(service):
        return (await failing(service, 2))[1]

    assert "used up for 60 s" in str(ask(say({}, 429, headers), scenario, monotonic=lambda: 0.0))


def test_an_answer_that_does_not_come_and_one_cut_off_are_a_service_that_is_down(ask):
    async def silent(request):
        await asyncio.sleep(10)

    async def cut(request):
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"{")
        request.transport.close()
        return response

    async def scenario(service):
        return (await failing(service))[0]

    quick = PollingSettings(timeout_seconds=0.1, attempts=2)
    for handler, words in ((silent, "no answer within 0.1 s"), (cut, "Payload")):
        error = ask(handler, scenario, quick)
        assert error.failure is Failure.DOWN and words in str(error)


def test_a_port_nobody_listens_at_is_a_service_that_is_down(ask, say):
    async def scenario(service):
        with pytest.raises(SourceError) as caught:
            await service.client.get("http://127.0.0.1:9/a")
        return caught.value.failure

    assert ask(say({}), scenario) is Failure.DOWN


def test_an_endless_answer_is_cut(ask, monkeypatch):
    monkeypatch.setattr("adaptive_pkg.polling.client._MOST_BYTES", 1000)

    async def handler(request):
        return web.Response(text="1" * 5000)

    async def scenario(service):
        return (await failing(service))[0]

    assert "more than 1000 bytes" in str(ask(handler, scenario))


def test_a_large_answer_in_many_pieces_is_read_whole(ask, say):
    body = list(range(200_000))

    async def scenario(service):
        return await service.client.get(f"{service.url}/a")

    assert ask(say(body), scenario) == body


def test_a_closed_limiter_is_an_error_of_the_source(ask, say):
    async def scenario(service):
        limiter = request_limiter(1, 1)
        limiter.close()
        client = PollingClient("s", service.session, limiter, PollingSettings())
        with pytest.raises(SourceError, match="closed"):
            await client.get(f"{service.url}/a")

    ask(say({}), scenario)
