"""A registry with faults, for tests. Usage: registry.py FAULT[:NUMBER]... ; prints its port, logs requests to stderr.

It keeps everything in memory and serves plain HTTP on loopback. It shares no code with slimroot.
"""

import hashlib
import http.server
import json
import sys
import threading
import urllib.parse

FAULTS = {name: int(number or 0) for name, _, number in (word.partition(":") for word in sys.argv[1:])}
# Blobs by digest, and the pairs of repository and digest that may be read.
BLOBS, HELD, UPLOADS, MANIFESTS = {}, set(), {}, {}
SEEN = {"all": 0, "patch": 0, "blob": 0, "token": 0, "uploads": 0}
LOCK = threading.Lock()
OCI = "application/vnd.oci.image.manifest.v1+json"


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Registry(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=(), length=None):
        credentials = self.headers.get("Authorization", "-").split(" ")[0]
        sys.stderr.write(f"{self.command} {self.path} {credentials} {self.headers.get('Range', '-')} {status}\n")
        sys.stderr.flush()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, code, message, headers=()):
        self.answer(status, json.dumps({"errors": [{"code": code, "message": message}]}).encode(), [("Connection", "close"), *headers])

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def cut(self):
        sys.stderr.write(f"{self.command} {self.path} cut\n")
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(2)

    def count(self, what):
        with LOCK:
            SEEN[what] += 1
            return SEEN[what]

    def is_wanted(self):
        """Faults of any request; True if the request goes on."""
        number = self.count("all")
        if number <= FAULTS.get("busy", 0):
            self.refuse(429, "TOOMANYREQUESTS", "slow down", [("Retry-After", "0")])
        elif "busy-for-hours" in FAULTS:
            self.refuse(429, "TOOMANYREQUESTS", "slow down", [("Retry-After", "7200")])
        elif number <= FAULTS.get("broken", 0):
            self.refuse(503, "UNKNOWN", "out of order")
        elif "tokens" in FAULTS and self.headers.get("Authorization") != f"Bearer t{SEEN['token']}":
            self.challenge()
        elif "tokens" in FAULTS and (FAULTS["tokens"] == 0 or number % FAULTS["tokens"] == 0):
            # The token has expired, or none is ever good.
            self.challenge()
        else:
            return True
        return False

    def challenge(self):
        realm = f"http://127.0.0.1:{self.server.server_port}/token"
        value = f'Bearer realm="{realm}",service="test",scope="repository:app:pull,push"'
        self.refuse(401, "UNAUTHORIZED", f"no: {self.headers.get('Authorization', '')}", [("WWW-Authenticate", value)])

    def handle_any(self):
        url = urllib.parse.urlsplit(self.path)
        self.query = urllib.parse.parse_qs(url.query)
        if url.path == "/token":
            return self.answer(200, json.dumps({"token": f"t{self.count('token')}"}).encode())
        if url.path.startswith("/elsewhere/"):
            return self.blob(url.path.rsplit("/", 1)[1])
        data = self.body() if self.command in ("PUT", "POST") else b""
        if not self.is_wanted():
            return None
        parts = url.path.strip("/").split("/")
        if parts == ["v2"]:
            return self.answer(200)
        kind, last = parts[-2], parts[-1]
        self.repository = url.path.split("/manifests/")[0].split("/blobs/")[0]
        if kind == "manifests":
            return self.put_manifest(last, data) if self.command == "PUT" else self.manifest(last)
        if kind == "blobs" and last.startswith("sha256:"):
            return self.redirected(last) if self.is_redirected() else self.blob(last)
        return self.upload(url, last)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = handle_any

    def is_redirected(self):
        return "redirect" in FAULTS and self.command == "GET"

    def redirected(self, wanted):
        host = "localhost" if FAULTS["redirect"] == 0 else "127.0.0.1"
        place = f"http://{host}:{self.server.server_port}/elsewhere/{wanted}"
        if FAULTS["redirect"] == 2:
            place = self.path
        self.answer(307, b"", [("Location", place)])

    def put_manifest(self, tag, data):
        if "no-manifest" in FAULTS and "old" in MANIFESTS:
            return self.refuse(500, "UNKNOWN", "cannot store")
        MANIFESTS[tag] = MANIFESTS[digest(data)] = (data, self.headers["Content-Type"])
        stored = "sha256:" + "0" * 64 if "stores-other" in FAULTS else digest(data)
        return self.answer(201, b"", [("Docker-Content-Digest", stored)])

    def manifest(self, tag):
        if tag not in MANIFESTS:
            return self.refuse(404, "MANIFEST_UNKNOWN", "no such\x1b[31m thing")
        data, media_type = MANIFESTS[tag]
        stated = digest(data)
        if "lying-type" in FAULTS:
            media_type = "application/vnd.oci.image.index.v1+json"
        if "lying-digest" in FAULTS:
            stated = "sha256:" + "0" * 64
        if "large" in FAULTS:
            data = data + b" " * (5 << 20)
        if "both" in FAULTS:
            data = json.dumps({**json.loads(data), "manifests": []}).encode()
            stated = digest(data)
        return self.answer(200, data, [("Content-Type", media_type), ("Docker-Content-Digest", stated)])

    def blob(self, wanted):
        if wanted not in BLOBS or not self.path.startswith("/elsewhere/") and (self.repository, wanted) not in HELD:
            return self.refuse(404, "BLOB_UNKNOWN", "no such blob")
        data = BLOBS[wanted]
        if self.command == "HEAD":
            return self.answer(200, data)
        if "lying-bytes" in FAULTS and len(data) > 10000:
            data = data[:5000] + bytes([data[5000] ^ 1]) + data[5001:]
        if "lying-length" in FAULTS:
            data = data + b"more"
        start = 0
        if self.headers.get("Range") and "no-ranges" not in FAULTS:
            start = int(self.headers["Range"].removeprefix("bytes=").split("-")[0])
        headers = [("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")] if start else []
        rest = data[start:]
        end = FAULTS.get("cut-blob", 0)
        if end and len(rest) > end and self.count("blob") < 100:
            # `no-ranges` gets a little further each time, or it would never end.
            end = end * SEEN["blob"] if "no-ranges" in FAULTS else end
            self.answer(206 if start else 200, rest[:end], headers, len(rest))
            return self.cut() if end < len(rest) else None
        return self.answer(206 if start else 200, rest, headers)

    def upload(self, url, name):
        if self.command == "POST":
            mounted, source = self.query.get("mount", [""])[0], self.query.get("from", [""])[0]
            if (f"/v2/{source}", mounted) in HELD and "no-mount" not in FAULTS:
                HELD.add((self.repository, mounted))
                return self.answer(201, b"", [("Location", f"/v2/app/blobs/{mounted}")])
            if "quota" in FAULTS:
                return self.refuse(413, "DENIED", "quota of 10 GB is used up")
            number = str(self.count("uploads"))
            UPLOADS[number] = b""
            place = [] if "no-location" in FAULTS else [("Location", f"/v2/app/blobs/uploads/{number}?state=x")]
            return self.answer(202, b"", place)
        if name not in UPLOADS:
            return self.refuse(404, "BLOB_UPLOAD_UNKNOWN", "no such upload")
        place = [("Location", f"{url.path}?state=y")]
        if self.command == "GET":
            return self.answer(204, b"", [*place, ("Range", f"0-{max(len(UPLOADS[name]) - 1, 0)}")])
        if self.command == "PATCH":
            return self.patch(name, place)
        wanted = self.query["digest"][0]
        if digest(UPLOADS[name]) != wanted:
            return self.refuse(400, "DIGEST_INVALID", "other bytes")
        BLOBS[wanted] = UPLOADS.pop(name)
        HELD.add((self.repository, wanted))
        return self.answer(201, b"", [("Docker-Content-Digest", wanted)])

    def patch(self, name, place):
        length = int(self.headers["Content-Length"])
        have = len(UPLOADS[name])
        if have and not self.headers.get("Content-Range", "").startswith(f"{have}-"):
            return self.refuse(416, "RANGE_INVALID", "not the next byte")
        number, step = self.count("patch"), FAULTS.get("cut-upload", 0)
        if "cut-upload" in FAULTS and length > step and number < 100:
            UPLOADS[name] += self.rfile.read(step)
            if "forgets" in FAULTS and number == 1:
                del UPLOADS[name]
            return self.cut()
        UPLOADS[name] += self.rfile.read(length)
        return self.answer(202, b"", place)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
server.daemon_threads = True
print(server.server_port, flush=True)
# An image that was there before: a tag that a failed push must not move.
BEFORE = json.dumps({"schemaVersion": 2, "mediaType": OCI, "layers": []}).encode()
MANIFESTS["old"] = (BEFORE, OCI)
server.serve_forever()
