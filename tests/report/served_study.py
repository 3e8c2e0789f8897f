"""A study of glyphs, the server of it, and a client, for tests of the server."""

import http.client
import json
import os
import select
import subprocess
from pathlib import Path

ROOT = Path(os.environ["DESCRAMBLE_SOURCE_DIR"])
COMMAND = os.environ["DESCRAMBLE_COMMAND"]


def make_study(folder, taps, directions):
    """Makes folder/study and returns its key."""
    config = {
        "name": "explored", "seed": 1, "model": {"kind": "torchscript", "path": str(ROOT / "models/glyph_mlp.pt")},
        "data": {"kind": "glyphs", "count": 100},
        "steps": [{"kind": "explore", "taps": taps, "bases": [{"kind": "pca"}, {"kind": "neurons"}], "directions": directions}],
    }
    (folder / "explore.json").write_text(json.dumps(config), encoding="utf-8")
    subprocess.run([COMMAND, "run", folder / "explore.json", "--out", folder / "run", "--quiet"], check=True)
    subprocess.run([COMMAND, "study", "make", folder / "run", "--out", folder / "study"], check=True, stdout=subprocess.DEVNULL)
    return json.loads((folder / "study" / "key.json").read_text(encoding="utf-8"))


def listening(process):
    """The port at which the process listens: its link may name another one."""
    sockets = {os.readlink(f"/proc/{process}/fd/{fd}") for fd in os.listdir(f"/proc/{process}/fd")}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                return int(fields[1].rsplit(":", 1)[1], 16)
    raise AssertionError("the server listens nowhere")


class Server:
    """`descramble study serve`, as a process; the same port and link after each start."""

    def __init__(self, study, before=(), more=()):
        self.study, self.before, self.more = study, list(before), list(more)
        self.port, self.link, self.process = 0, None, None
        self.start()

    def start(self):
        command = [*self.before, COMMAND, "study", "serve", self.study, "--port", str(self.port), *self.more]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert select.select([self.process.stdout], [], [], 30)[0], "the server says nothing"
        self.first_line = self.process.stdout.readline().strip()
        link = self.process.stdout.readline().strip()
        if not link:
            raise AssertionError(f"no server: {self.process.communicate()}")
        assert self.link in (None, link), f"another link: {link} instead of {self.link}"
        self.link = link
        self.port = self.port or listening(self.process.pid)
        self.path = "/" + link.split("/", 3)[3]

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def stop(self):
        """Ends it as Ctrl-C does. Returns its last words and its complaints."""
        self.process.terminate()
        out, err = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, (self.process.returncode, err)
        return out, err

    def request(self, method="GET", path=None, body=None, headers=None, source=None):
        """A request as a page of this server sends it, but for what is named. Returns code and text."""
        host = f"127.0.0.1:{self.port}"
        given = {"Host": host, "Origin": f"http://{host}", "Content-Type": "application/json", **(headers or {})}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20, source_address=source)
        try:
            connection.request(method, self.path if path is None else path, body, {k: v for k, v in given.items() if v is not None})
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        finally:
            connection.close()

    def answer(self, body, **more):
        text = body if isinstance(body, (bytes, str)) else json.dumps(body)
        return self.request("POST", self.path + "answers", text, **more)
