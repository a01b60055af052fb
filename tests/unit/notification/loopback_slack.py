"""A Slack on loopback that answers what a test tells it to, and keeps what it was sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs


@dataclass
class Answer:
    """What the next request gets; ``hang`` waits until the server ends."""

    status: int = 200
    body: str = "ok"
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False


@dataclass
class LoopbackSlack:
    """Where it listens, what it answers from now on, and what arrived."""

    url: str
    answer: Answer = field(default_factory=Answer)
    received: list[dict[str, Any]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


@contextmanager
def loopback_slack() -> Iterator[LoopbackSlack]:
    """Serve for the length of the block on a port of the system's choice."""
    slack = LoopbackSlack("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"])).decode()
            slack.received.append(_decoded(raw, self.headers["Content-Type"]))
            if slack.answer.hang:
                slack.ended.wait(10)
                return
            body = slack.answer.body.encode()
            self.send_response(slack.answer.status)
            for name, value in slack.answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    slack.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    try:
        yield slack
    finally:
        slack.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _decoded(raw: str, content_type: str) -> dict[str, Any]:
    if content_type.startswith("application/json"):
        decoded: dict[str, Any] = json.loads(raw)
        return decoded
    form = {key: values[0] for key, values in parse_qs(raw).items()}
    return {**form, "blocks": json.loads(form["blocks"])} if "blocks" in form else form
