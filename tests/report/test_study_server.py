"""The server of a study: answers survive kill -9, hostile requests are refused, and a full disk loses nothing.

Independent of LibTorch.
"""

import json
import random
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

from served_study import COMMAND, Server, make_study

CLIENTS, EACH, KILLS = 20, 50, 10
draw = random.Random(7)


def given(key, trial, participant, row="coherent"):
    return {"study": key["study"], "participant": participant, "trial": trial["id"], "chosen": trial[row],
            "top": True, "seconds": 1.5}


def stored(study):
    with closing(sqlite3.connect(study / "answers.sqlite")) as database:
        return database.execute("SELECT session, trial, chosen FROM answers").fetchall()


def check_kills(study, key):
    """1,000 answers from 20 clients at once, and kill -9 at ten random moments."""
    server = Server(study)
    wanted = {(f"client-{c}", trial["id"]): draw.choice([trial["coherent"], trial["other"]])
              for c in range(CLIENTS) for trial in key["trials"][:EACH]}
    kept, troubles = [0], []

    def play(client):
        for (participant, trial), chosen in wanted.items():
            if participant != client:
                continue
            body = {"study": key["study"], "participant": participant, "trial": trial, "chosen": chosen, "top": False, "seconds": 0.1}
            for _ in range(2000):
                try:
                    code, text = server.answer(body)
                except OSError:
                    code, text = 0, ""
                except Exception as error:  # a reply that was cut off
                    code, text = 0, str(error)
                if code == 200:
                    kept[0] += 1
                    break
                if code not in (0, 429):
                    troubles.append((code, text))
                    return
                time.sleep(0.02)
            else:
                troubles.append((participant, trial, "never kept"))
                return

    threads = [threading.Thread(target=play, args=(f"client-{c}",)) for c in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for moment in sorted(draw.sample(range(20, CLIENTS * EACH - 100), KILLS)):
        while kept[0] < moment and not troubles:
            time.sleep(0.001)
        server.kill()
        server.start()
    for thread in threads:
        thread.join()
    assert not troubles, troubles[:3]
    rows = stored(study)
    assert len(rows) == CLIENTS * EACH, len(rows)
    assert {(session, trial): chosen for session, trial, chosen in rows} == wanted, "lost, doubled or changed"
    out, err = server.stop()
    assert f"{CLIENTS * EACH} answers of {CLIENTS} participants" in out, out
    assert not err, err
    scored = subprocess.run([COMMAND, "study", "score", study], check=True, capture_output=True, text=True)
    assert all(f"client-{c}" in scored.stdout for c in range(CLIENTS)), scored.stdout


def overload(server):
    codes = set()
    for _ in range(3000):
        codes.add(server.request(path="/", source=("127.0.0.3", 0))[0])
        if 429 in codes:
            break
    assert codes == {404, 429}, codes


def check_names(study, key):
    """Links by other names and addresses."""
    named = Server(study, more=["--host", "Study.example.org:8443"])
    assert named.link.startswith("http://Study.example.org:8443/s/"), named.link
    for host in ("study.example.org:8443", "study.example.org", "STUDY.EXAMPLE.ORG", f"127.0.0.1:{named.port}"):
        code = named.answer(given(key, key["trials"][2], "named"), headers={"Host": host, "Origin": f"https://{host}"})[0]
        assert code == 200, (host, code)
    assert named.request(headers={"Host": "study.example.org:1"})[0] == 421
    named.stop()
    # IPv4 through a socket of IPv6: each address is one of its own.
    both = Server(study, more=["--address", "::", "--host", "127.0.0.1"])
    overload(both)
    assert both.request(source=("127.0.0.9", 0))[0] == 200
    both.stop()


def check_hostile(study, key):
    server = Server(study)
    own, trial = server.path, key["trials"][0]
    fine = given(key, trial, "someone")

    def refused(reply, code):
        assert reply[0] == code, (reply, code)
        for secret in (trial["coherent"], server.path.split("/")[2]):
            assert secret not in reply[1], reply

    before = len(stored(study))
    page = server.request()
    assert page[0] == 200 and "default-src 'none'" in page[1], page[0]
    assert server.request("HEAD") == (200, "")
    # Tokens, paths and methods.
    for path in ("/", "/s/", own[:-1], own[:-3] + "00/", own + "key.json", own + "../key.json", own + "answers.sqlite",
                 "/s/../key.json", own + "%2e%2e/key.json", "//etc/passwd", "/" + "a" * 5000, own + "answers/", "/favicon.ico"):
        refused(server.request(path=path), 404)
    for method in ("PUT", "DELETE", "OPTIONS", "POST", "TRACE", "NONSENSE"):
        refused(server.request(method), 405)
    refused(server.request("GET", own + "answers"), 405)
    # Other hosts and origins: pages of strangers, and names that they point to this address.
    for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1", "", "127.0.0.1:1"):
        refused(server.request(headers={"Host": host}), 421)
    for origin in ("http://evil.example", "null", "", None, f"http://127.0.0.1:{server.port}.evil.example", "http://127.0.0.1"):
        refused(server.answer(fine, headers={"Origin": origin}), 403)
    local = f"localhost:{server.port}"
    refused(server.answer(fine, headers={"Host": local}), 403)
    for kind in (None, "text/plain", "multipart/form-data; boundary=x"):
        refused(server.answer(fine, headers={"Content-Type": kind}), 415)
    # Bodies.
    for body in ("", "{", "[" * 60000, "null", "[]", '"text"', b"\xff\xfe\x00", "{\"study\": 1}", json.dumps(fine)[:-1],
                 {**fine, "study": "another"}, {**fine, "participant": 7}, {**fine, "participant": "a" * 65},
                 {**fine, "participant": "<script>"}, {**fine, "trial": "none"}, {**fine, "trial": None},
                 {**fine, "chosen": "neither"}, {**fine, "chosen": key["trials"][1]["coherent"]}, {**fine, "seconds": -1},
                 {**fine, "seconds": "long"}, {**fine, "top": "yes"}, json.dumps(fine).replace("1.5", "1e999"),
                 {**fine, "trial": "x'; DROP TABLE answers; --"}):
        refused(server.answer(body), 400)
    refused(server.answer(json.dumps(fine) + " " * 70000), 413)
    refused(server.answer(b"", headers={"Content-Length": "100000000"}), 413)
    refused(server.answer(b"", headers={"Content-Length": "9" * 40}), 413)
    big = socket.create_connection(("127.0.0.1", server.port))
    big.sendall((f"POST {own}answers HTTP/1.1\r\nHost: {local}\r\nOrigin: http://{local}\r\n"
                 "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n").encode())
    sent = 0
    try:
        for _ in range(1600):  # 100 MB without a length
            big.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            sent += 65536
    except OSError:
        pass
    assert sent < 20_000_000, f"{sent} bytes of one body were read"
    big.close()
    assert len(stored(study)) == before
    # The same answer again is the same answer; another one to the same question is none.
    assert server.answer(fine)[0] == 200
    assert server.answer(fine)[0] == 200
    refused(server.answer(given(key, trial, "someone", "other")), 409)
    assert server.answer({**given(key, trial, "neighbour"), "seconds": 0}, headers={"Host": local, "Origin": f"http://{local}"})[0] == 200
    assert len(stored(study)) == before + 2
    # Slow clients, each a byte at a time, do not keep others waiting.
    slow = []
    for _ in range(60):
        one = socket.create_connection(("127.0.0.1", server.port), source_address=("127.0.0.2", 0))
        one.sendall(f"POST {own}answers HTTP/1.1\r\nHost: ".encode())
        slow.append(one)
    began = time.monotonic()
    for i in range(20):
        for one in slow:
            one.sendall(b"x")
        assert server.answer(given(key, key["trials"][i], "quick"))[0] == 200
    assert time.monotonic() - began < 10, "slow clients keep others waiting"
    for one in slow:
        one.close()
    # Too many requests of one address are put off, and those of another address are not.
    overload(server)
    assert server.request()[0] == 200, "another address is served"
    taken = subprocess.run([COMMAND, "study", "serve", study, "--port", str(server.port)], capture_output=True, text=True)
    assert taken.returncode == 2 and "the port is taken" in taken.stderr and taken.stderr.count("\n") == 1, taken
    _, err = server.stop()
    assert not err, err


def check_full_disk(study, key):
    """Files may grow to a limit, as on a full disk: an answer is refused, none is lost, and the server goes on."""
    before = len(stored(study))
    blocks = (study / "answers.sqlite").stat().st_size // 1024 + 64
    server = Server(study, ["bash", "-c", f"trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"", "bash"])
    kept = 0
    for i in range(300):
        trial = key["trials"][i % len(key["trials"])]
        code, text = server.answer(given(key, trial, f"full-{i // len(key['trials'])}"))
        assert code in (200, 429, 507), (code, text)
        if code == 507:
            break
        if code == 429:
            time.sleep(0.2)
        kept += code == 200
    assert code == 507 and "could not be written" in text, (code, text, i)
    assert server.request()[0] == 200, "the page is served on"
    _, err = server.stop()
    assert err.startswith("descramble: an answer could not be written, and the browser keeps it:"), err
    server = Server(study)
    assert len(stored(study)) == before + kept, "all that were acknowledged are there, and no other"
    assert server.answer(given(key, trial, f"full-{i // len(key['trials'])}"))[0] == 200, "sent again"
    server.stop()


def check_damage(study):
    page = study / "index.html"
    text = page.read_bytes()
    page.write_bytes(text[:3000])
    cut = subprocess.run([COMMAND, "study", "serve", study, "--port", "0"], capture_output=True, text=True, timeout=30)
    assert cut.returncode == 2 and "a damaged page" in cut.stderr, cut
    page.write_bytes(text)
    file = study / "answers.sqlite"
    whole = file.read_bytes()
    for damaged in (b"no database at all, but long enough for a header" * 100, whole[:4096] + bytes(4096) + whole[8192:]):
        file.write_bytes(damaged)
        for command in ("serve", "score"):
            ended = subprocess.run([COMMAND, "study", command, study, *(["--port", "0"] if command == "serve" else [])],
                                   capture_output=True, text=True, timeout=30)
            assert ended.returncode == 2 and "the answers cannot be read" in ended.stderr, ended
            assert ended.stderr.count("\n") == 1, ended.stderr
            assert file.read_bytes() == damaged, "a damaged file is left as it is"
        assert sorted(path.name for path in study.glob("answers.sqlite*")) == ["answers.sqlite"]
    file.write_bytes(whole)
    again = subprocess.run([COMMAND, "study", "make", study.parent / "run", "--out", study, "--force"], capture_output=True, text=True)
    assert again.returncode == 2 and "a study with answers" in again.stderr, again


with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    key = make_study(folder, ["fc1", "fc2"], 12)
    assert len(key["trials"]) == 51, len(key["trials"])
    check_kills(folder / "study", key)
    check_hostile(folder / "study", key)
    check_names(folder / "study", key)
    check_full_disk(folder / "study", key)
    check_damage(folder / "study")
print(f"ok: {CLIENTS * EACH} answers, {KILLS} kills")
