"""A Telegram on 127.0.0.1: one bot, one chat, and the refusals that a bot's message can meet."""

from __future__ import annotations

import json
import re
import threading
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

MAX_LENGTH = 4096
_PAIRED = ("*", "_", "`", "[")


def markdown_problem(text: str) -> str | None:
    """What Telegram says of text in its (first) Markdown: an entity that is opened must be closed."""
    at = 0
    while at < len(text):
        sign = text[at]
        if sign == "\\" and text[at + 1 : at + 2] in _PAIRED:
            at += 2
            continue
        if sign not in _PAIRED:
            at += 1
            continue
        fence = "```" if text.startswith("```", at) else sign
        end = text.find("]" if sign == "[" else fence, at + len(fence))
        if end < 0:
            offset = len(text[:at].encode())
            return f"can't parse entities: Can't find end of the entity starting at byte offset {offset}"
        at = end + len(fence)
    return None


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.open.append(f"/{tag}")


class _Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """A bot that stops hangs up in the middle of its long poll."""


class BotApi:
    """Speaks the Bot API: getMe, getUpdates (long poll), sendMessage and the rest that freqtrade asks for.

    Attributes:
        sent: texts that arrived in the chat, as the bot wrote them.
        refused: (text, why) of those that Telegram would not take.
        tokens: every token it was called with.
    """

    def __init__(self, token: str, chat_id: int) -> None:
        self.token, self.chat_id = token, chat_id
        self.sent: list[str] = []
        self.refused: list[tuple[str, str]] = []
        self.tokens: set[str] = set()
        self._updates: list[dict] = []  # typed, and not yet confirmed
        self._typed = 0
        self._news = threading.Condition()
        self._closing = False
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="bot-api", daemon=True
        )
        self._thread.start()

    @property
    def base_url(self) -> str:
        """What python-telegram-bot puts before the token."""
        return f"http://127.0.0.1:{self._server.server_port}/bot"

    def close(self) -> None:
        with self._news:
            self._closing = True
            self._news.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def type(self, text: str, user_id: int = 7, chat_id: int | None = None) -> None:
        """Somebody types a message."""
        chat = {"id": self.chat_id if chat_id is None else chat_id, "type": "private"}
        entity = {"type": "bot_command", "offset": 0, "length": len(text.split()[0])}
        with self._news:
            self._typed += 1
            number = self._typed
            user = {"id": user_id, "is_bot": False, "first_name": "Owner"}
            message = {"message_id": number, "date": 1_700_000_000, "chat": chat, "from": user, "text": text}
            self._updates.append({"update_id": number, "message": message | {"entities": [entity]}})
            self._news.notify_all()

    # --- methods -------------------------------------------------------------------------------------

    def answer(self, method: str, ask: dict[str, str]):
        """The result, or (error code, description)."""
        match method.lower():
            case "getme":
                return {"id": 1, "is_bot": True, "first_name": "Bot", "username": "loopback_bot"}
            case "getupdates":
                return self._wait_for_updates(int(ask.get("offset", 0)), float(ask.get("timeout", 0)))
            case "sendmessage":
                return self._take(ask)
            case "deletewebhook":
                with self._news:
                    self._updates = [] if ask.get("drop_pending_updates") == "true" else self._updates
                return True
        return 404, "Not Found"

    def _wait_for_updates(self, offset: int, seconds: float) -> list[dict]:
        with self._news:
            self._updates = [update for update in self._updates if update["update_id"] >= offset]
            self._news.wait_for(lambda: self._closing or self._updates, seconds)
            return list(self._updates)

    def _take(self, ask: dict[str, str]):
        text = ask.get("text", "")
        problem = None
        if int(ask["chat_id"]) != self.chat_id:
            problem = "chat not found"
        elif not text:
            problem = "message text is empty"
        elif ask.get("parse_mode") == "Markdown":
            problem = markdown_problem(text)
        elif ask.get("parse_mode") == "HTML":
            tags = _Tags()
            tags.feed(text)
            problem = f"can't parse entities: {tags.open}" if tags.open else None
        if problem is None and len(re.sub(r"\\([_*`\[])", r"\1", text)) > MAX_LENGTH:
            problem = "message is too long"
        if problem:
            self.refused.append((text, problem))
            return 400, f"Bad Request: {problem}"
        self.sent.append(text)
        chat = {"id": self.chat_id, "type": "private"}
        return {"message_id": 10_000 + len(self.sent), "date": 1_700_000_000, "chat": chat, "text": text}

    def _handler(self):
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                ask = {name: values[0] for name, values in parse_qs(body).items()}
                token, _, method = self.path.removeprefix("/bot").partition("/")
                api.tokens.add(token)
                result = api.answer(method, ask) if token == api.token else (401, "Unauthorized")
                if isinstance(result, tuple):
                    status, body = result[0], {"error_code": result[0], "description": result[1]}
                else:
                    status, body = 200, {"result": result}
                answer = json.dumps({"ok": status == 200, **body}).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args):
                pass

        return Handler
