"""Servers that a health probe asks: healthy, sick, silent, rude. Prints a line of JSON with the port of each."""

import http.server
import json
import socket
import sys
import threading
import time
from concurrent import futures

import grpc


class Pages(http.server.BaseHTTPRequestHandler):
    """The path is the status; /103 is an early hint before 200. A page says which host was asked for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status = int(self.path.strip("/").split("?")[0] or 200)
        if status == 103:
            self.send_response_only(103)
            self.send_header("Link", "</style.css>")
            self.end_headers()
            status = 200
        if status == 250:
            status = 200 if self.headers["Host"].startswith("localhost:") else 500
        body = b"x" * 100_000
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", "/500")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


def listen(answer, family=socket.AF_INET):
    """A port at which each connection is answered by a function."""
    server = socket.socket(family)
    server.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    server.listen()

    def serve():
        while True:
            connection = server.accept()[0]
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return server.getsockname()[1]


def send(*parts, pause=0.0, then=0.0):
    """An answer in parts, after the request has come."""

    def answer(connection):
        connection.recv(65536)
        try:
            for part in parts:
                connection.sendall(part)
                time.sleep(pause)
        except OSError:
            pass
        time.sleep(then)
        connection.close()

    return answer


def endless(first, part):
    def answer(connection):
        connection.recv(65536)
        try:
            connection.sendall(first)
            while True:
                connection.sendall(part)
        except OSError:
            connection.close()

    return answer


def health(request, context):
    """grpc.health.v1.Health/Check in bytes: field 1 of the request is the name, field 1 of the answer the status."""
    name = request[2:].decode()
    if name == "gone":
        context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
    return {"": b"\x08\x01", "shop.Cart": b"\x08\x01", "down": b"\x08\x02", "strange": b"\x08\x03"}.get(name, b"")


def grpc_server(*handlers):
    server = grpc.server(futures.ThreadPoolExecutor(4), handlers=handlers)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    SERVERS.append(server)
    return port


SERVERS = []
pages = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
threading.Thread(target=pages.serve_forever, daemon=True).start()
closed = socket.socket()
closed.bind(("127.0.0.1", 0))
check = grpc.unary_unary_rpc_method_handler(health)
service = grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": check})
ports = {
    "pages": pages.server_port,
    # Bound, but nothing listens.
    "nobody": closed.getsockname()[1],
    "silent": listen(lambda connection: time.sleep(60)),
    "closing": listen(lambda connection: connection.close()),
    "garbage": listen(send(b"\x00\xffgarbage\r\n\r\n")),
    "cut": listen(send(b"HTTP/1.1 200")),
    "old": listen(send(b"HTTP/1.0 200 OK\r\n\r\nfine")),
    "odd": listen(send(b"HTTP/1.1 2000 OK\r\n\r\n")),
    "bytewise": listen(send(*(bytes([byte]) for byte in b"HTTP/1.1 204 No Content\r\n\r\n"), pause=0.005)),
    "six": listen(send(b"HTTP/1.1 200 OK\r\n\r\n"), socket.AF_INET6),
    "talking": listen(endless(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536)),
    "endless": listen(endless(b"", b"x" * 65536)),
    "hints": listen(endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n")),
    "health": grpc_server(service),
    "other": grpc_server(),
    # SETTINGS, and nothing; SETTINGS, and a frame that is too long; DATA with more padding than bytes.
    "settled": listen(send(bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]), then=60)),
    "long": listen(send(bytes([0, 0, 0, 4, 0, 0, 0, 0, 0, 255, 255, 255, 0, 0, 0, 0, 0, 1]))),
    "padded": listen(send(bytes([0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 0, 0, 1, 9]))),
}
print(json.dumps(ports), flush=True)
sys.stdin.read()
