"""Load by wrk, and a single request to see that a proxy does what is measured."""

import http.client
import json
import os
import subprocess

from processes import Cores, prepare_child

CONNECTIONS = 32
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "load.lua")
SMALL_BODY = 46


def run(port, path, seconds, upload=0, cores=None, scheme="http"):
    """Blocks for `seconds`; returns wrk's counts and latencies."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s", "-s", SCRIPT,
               f"{scheme}://127.0.0.1:{port}{path}", "--"]
    if upload:
        command.append(str(upload))
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, preexec_fn=prepare_child(cores))
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return json.loads(line[len("RESULT "):])
    raise RuntimeError(f"wrk said:\n{done.stdout}{done.stderr}")


def measure(server, path, seconds, upload=0):
    """As run(), and the CPU time of the proxy per request in microseconds."""
    before = server.process.cpu_seconds()
    result = run(server.port, path, seconds, upload, Cores.load if server.process.pinned else None)
    spent = server.process.cpu_seconds() - before
    result["cpu_us"] = spent * 1e6 / max(result["requests"], 1)
    result["rps"] = result["requests"] * 1e6 / max(result["duration_us"], 1)
    return result


def fetch(port, path="/", method="GET", body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body=body)
        response = connection.getresponse()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
    finally:
        connection.close()


def check(server, path, upload=0, plugin=False):
    """Raises if the proxy does not do what the scenario measures."""
    status, headers, body = fetch(server.port, path, "POST" if upload else "GET", b"x" * upload if upload else None)
    wanted = {"/64k": 65536, "/1m": 1048576}.get(path, SMALL_BODY)
    if status != 200 or len(body) != wanted:
        raise RuntimeError(f"{server.name}: {path} gave {status} with {len(body)} bytes; expected 200 with {wanted}")
    if plugin and "x-rust-filter" not in headers:
        raise RuntimeError(f"{server.name}: the plugin's response header is missing")
