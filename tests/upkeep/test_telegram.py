"""The summary reaches the config's chat, and the token stands in nothing that anybody sees."""

import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import parse_qs

import pytest

from adaptive_pkg.errors import ExchangeError, SettingsError
from adaptive_pkg.upkeep.telegram import LONGEST, send, summary

TOKEN = "4711:THE-SECRET-TOKEN"
CONFIG = {"telegram": {"token": TOKEN, "chat_id": "99"}}


@pytest.fixture
def api():
    """The Bot API on this machine: `answer` is (status, body); what arrived is in `asked`."""
    state = SimpleNamespace(asked=[], answer=None)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            state.asked.append((self.path, {name: values[0] for name, values in form.items()}))
            right = self.path == f"/bot{TOKEN}/sendMessage"
            refused = (401, {"ok": False, "error_code": 401, "description": "Unauthorized"})
            status, body = state.answer or ((200, {"ok": True, "result": {}}) if right else refused)
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_message_arrives_once_as_it_was_written(api, caplog):
    caplog.set_level(logging.DEBUG)
    send("1. [act] stop-outs: *look* <here> & there_", CONFIG, api.address)
    ((_, form),) = api.asked
    assert form["chat_id"] == "99" and form["text"] == "1. [act] stop-outs: *look* <here> & there_"
    assert "parse_mode" not in form  # nothing in it is markup
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    "answer",
    [
        (401, {"ok": False, "description": "Unauthorized"}),
        (400, {"ok": False, "description": f"Bad Request: chat not found for {TOKEN}"}),
        (429, {"ok": False}), (502, b"bad gateway"), (302, b""), (200, b"no json"), (200, {"ok": False}),
    ],
)  # fmt: skip
def test_a_refusal_is_told_without_the_token(api, answer, caplog):
    caplog.set_level(logging.DEBUG)
    api.answer = answer
    with pytest.raises(ExchangeError) as told:
        send("text", CONFIG, api.address)
    assert TOKEN not in str(told.value) and TOKEN not in caplog.text and told.value.__cause__ is None
    assert len(api.asked) == 1  # a message whose answer is lost may have arrived


def test_nobody_there_is_told_without_the_token():
    with pytest.raises(ExchangeError) as told:
        send("text", CONFIG, "http://127.0.0.1:1")
    assert TOKEN not in str(told.value) and "telegram.token" in str(told.value)


@pytest.mark.parametrize("missing", ["token", "chat_id"])
def test_what_is_not_set_is_named(missing):
    settings = {name: value for name, value in CONFIG["telegram"].items() if name != missing}
    with pytest.raises(SettingsError, match=f"FREQTRADE__TELEGRAM__{missing.upper()}"):
        send("text", {"telegram": settings})


def test_a_long_summary_is_cut_to_one_message():
    class Long:
        headline = "weekly"
        to_do = ()

    Long.to_do = [SimpleNamespace(verdict="act", name="x" * 100, remedy="y" * 100)] * 100
    text = summary(Long())
    assert len(text) == LONGEST and text.endswith("…") and text.startswith("weekly\n1. [act]")
