"""A client of imsync in thirty lines: the standard library, over the daemon's socket."""

import http.client
import json
import os
import socket
import sys
from typing import Any

SOCKET = os.environ.get("IMSYNC_SOCKET") or f"{os.environ['XDG_RUNTIME_DIR']}/imsync.sock"


class Daemon(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(SOCKET)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        headers = {"Content-Type": "application/json", **headers}
        self.request(method, f"/api/v1{path}", json.dumps(body) if body else None, headers)
        answer = self.getresponse()
        content = json.loads(answer.read() or b"{}")
        if answer.status >= 400:  # RFC 9457: a reason, a code that never changes, a hint
            sys.exit(f"{content['detail']} ({content['code']}) {content['hint']}")
        return content


daemon = Daemon("localhost")
asked = {"title": "Checkout is slow", "severity": "SEV-2"}
incident = daemon.ask("POST", "/incidents", asked, From="ada@acme.example")
daemon.ask("POST", f"/incidents/{incident['id']}/notes", {"text": "Seen by the canary."})
for each in daemon.ask("GET", "/incidents?status=open,mitigated")["items"]:
    print(each["id"], each["severity"], each["status"], each["title"])
