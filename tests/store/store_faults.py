"""An HTTP proxy on the socket that spoils answers of an S3 server by script; our code is not patched."""

from __future__ import annotations

import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

BUSY = b'<?xml version="1.0"?><Error><Code>ConditionalRequestConflict</Code><Message>busy</Message></Error>'  # of a 409


class FaultyProxy:
    """Forwards to an S3 server; ``script`` names what becomes of the next requests of a method.

    ``ok``; ``drop_before`` and ``drop_after`` close the connection, before or after the server did the work;
    ``500_before`` and ``500_after`` answer with an internal error; ``409`` answers that another write is under way;
    ``truncate`` sends half of the body.
    """

    def __init__(self, endpoint: str) -> None:
        self.script: dict[str, list[str]] = {}
        self.seen: list[tuple[str, str]] = []
        proxy = self
        target = urlsplit(endpoint).netloc

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                plan = proxy.script.get(self.command, [])
                fault = plan.pop(0) if plan else "ok"
                proxy.seen.append((self.command, fault))
                if fault == "drop_before":
                    return self.drop()
                if fault == "500_before":
                    return self.answer(500, {}, b"")
                if fault == "409":
                    return self.answer(409, {"Content-Type": "application/xml"}, BUSY)
                connection = HTTPConnection(target, timeout=60)
                connection.request(self.command, self.path, body, dict(self.headers))
                reply = connection.getresponse()
                data = reply.read()
                connection.close()
                if fault == "drop_after":
                    return self.drop()
                if fault == "500_after":
                    return self.answer(500, {}, b"")
                headers = {k: v for k, v in reply.getheaders() if k.lower() not in ("connection", "transfer-encoding")}
                return self.answer(reply.status, headers, data, truncate=fault == "truncate")

            do_GET = do_PUT = do_HEAD = do_DELETE = handle_any

            def drop(self):
                self.close_connection = True
                self.connection.close()

            def answer(self, status, headers, data, truncate=False):
                self.send_response(status)
                if self.command != "HEAD":
                    headers = {k: v for k, v in headers.items() if k.lower() != "content-length"}
                    headers["Content-Length"] = str(len(data))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data[: len(data) // 2] if truncate else data)
                if truncate:
                    self.close_connection = True

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host}:{port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
