"""The buffers' drop rules."""

import asyncio

import pytest

from adaptive_pkg.errors import ExchangeError
from adaptive_pkg.exchange.events import Answer, Event, EventKind
from adaptive_pkg.exchange.inbox import Inbox
from adaptive_pkg.exchange.outbox import STREAMS_PER_COMMAND, Outbox
from adaptive_pkg.settings.exchange import StreamSettings


def event(kind, key, stream="x", final=True):
    return Event(stream, kind, key, final, 0, {})


def taken(inbox):
    async def take():
        inbox.close()
        found = []
        while (item := await inbox.get()) is not None:
            found.append((item.stream, item.key))
        return found

    return asyncio.run(take())


def test_a_full_buffer_keeps_the_newest_state_of_each_stream():
    inbox = Inbox(2)
    for key in range(2):
        assert inbox.put(event(EventKind.TRADE, key, "t"))
    for key in range(5):
        assert inbox.put(event(EventKind.BOOK, key, "b"))
    assert inbox.put(event(EventKind.CANDLE, 60, "c", final=False))
    assert inbox.superseded == 4
    assert taken(inbox) == [("t", 0), ("t", 1), ("b", 4), ("c", 60)]


def test_a_full_buffer_says_that_it_keeps_nothing_else():
    inbox = Inbox(1)
    assert inbox.put(event(EventKind.TRADE, 1))
    for kind in (EventKind.TRADE, EventKind.CANDLE, EventKind.OTHER):
        assert not inbox.put(event(kind, 2))
    assert taken(inbox) == [("x", 1)]


def test_an_old_state_never_comes_after_a_newer_message_of_its_stream():
    async def scenario():
        inbox = Inbox(1)
        inbox.put(event(EventKind.CANDLE, 1))
        inbox.put(event(EventKind.CANDLE, 2, final=False))  # no room: kept aside
        await inbox.get()
        assert inbox.put(event(EventKind.CANDLE, 2))  # its close: what was kept aside is history
        assert (await inbox.get()).final
        assert len(inbox) == 0 and inbox.superseded == 1

    asyncio.run(scenario())


def test_streams_are_told_to_a_new_connection_in_commands_the_venue_accepts():
    outbox = Outbox(StreamSettings())
    outbox.reopen([f"s{number}" for number in range(2 * STREAMS_PER_COMMAND + 1)])
    assert not outbox.all_answered

    async def scenario():
        for number in (1, 2, 3):
            text = await outbox.next_message(pytest.fail, lambda: 0.0)
            assert outbox.answer_due == float("inf") if number == 1 else True
            assert not outbox.sent(text, 10.0)
            assert outbox.answer_due == 15.0
        for number in (1, 2, 3):
            assert not outbox.all_answered
            outbox.answered(Answer(number, None))
        assert outbox.all_answered

    asyncio.run(scenario())


def test_a_message_that_waited_too_long_is_handed_back():
    outbox = Outbox(StreamSettings(outgoing_seconds=10.0, buffer_messages=2))
    outbox.put("old", 0.0)
    outbox.put("new", 5.0)
    with pytest.raises(ExchangeError, match="2 wait for the connection"):
        outbox.put("more", 5.0)
    expired = []
    text = asyncio.run(outbox.next_message(expired.append, lambda: 11.0))
    assert (text, [loss.what for loss in expired]) == ("new", ["old"])
    assert outbox.sent(text, 11.0)


def test_what_is_put_while_another_message_leaves_is_neither_lost_nor_sent_twice():
    """The classic defect: the buffer is replaced while a message of it is being sent."""
    outbox, sent = Outbox(StreamSettings(messages_per_second=1000.0)), []

    class Connection:
        async def send(self, text):
            if text == "first":
                outbox.put("third", asyncio.get_running_loop().time())
            await asyncio.sleep(0)
            sent.append(text)

    async def scenario():
        now = asyncio.get_running_loop().time()
        outbox.put("first", now)
        outbox.put("second", now)
        sending = asyncio.create_task(outbox.send_through(Connection(), pytest.fail))
        async with asyncio.timeout(2):
            while len(sent) < 3:
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        assert sent == ["first", "second", "third"]

    asyncio.run(scenario())
