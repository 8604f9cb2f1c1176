"""What is measured. Every scenario interleaves its proxies round by round, so that a change of the machine hits all alike."""

import json
import os
import re
import statistics
import subprocess
import tempfile
import threading
import time

import load
from processes import Cores

# name -> (path, bytes of the request body)
BODIES = {
    "plain": ("/", 0),
    "response_64k": ("/64k", 0),
    "response_1m": ("/1m", 0),
    "upload_64k": ("/up", 65536),
    "upload_1m": ("/up", 1048576),
}
NAMES = [*BODIES, "filter", "swap", "memory", "syscalls"]
TITLES = {
    "plain": "plain: 46-byte response",
    "response_64k": "response of 64 KiB",
    "response_1m": "response of 1 MiB",
    "upload_64k": "upload of 64 KiB",
    "upload_1m": "upload of 1 MiB",
    "filter": "Rust header filter, 46-byte response",
}


def interleave(servers, rounds, seconds, path, upload, progress):
    """Rounds of one measurement per proxy, in an order that turns by one each round."""
    results = {server.name: [] for server in servers}
    for at in range(rounds):
        turn = at % len(servers)
        for server in servers[turn:] + servers[:turn]:
            progress(f"round {at + 1}/{rounds} {server.name}")
            results[server.name].append(load.measure(server, path, seconds, upload))
    return results


def summarise(runs):
    cpu = [run["cpu_us"] for run in runs]
    return {
        "cpu_us": statistics.median(cpu), "cpu_us_min": min(cpu), "cpu_us_max": max(cpu), "cpu_us_rounds": cpu,
        "rps": statistics.median(run["rps"] for run in runs),
        "p99_us": statistics.median(run["p99_us"] for run in runs),
        "requests": sum(run["requests"] for run in runs),
        "failed": sum(run["failed"] for run in runs),
    }


def bodies(name, servers, options, progress):
    path, upload = BODIES[name]
    for server in servers:
        load.check(server, path, upload)
        load.run(server.port, path, 1, upload)
    found = interleave(servers, options.rounds, options.seconds, path, upload, progress)
    return {server: summarise(runs) for server, runs in found.items()}


def filter_cost(fleet, plain_servers, options, progress):
    """weir and Envoy, each without and with the plugin; the cost is the median of the differences within a round."""
    bare = [server for server in plain_servers if server.name in ("weir", "envoy")]
    with_plugin = [fleet.start(server.name, plugins=1, cores=Cores.proxy) for server in bare]
    for server in with_plugin:
        load.check(server, "/", plugin=True)
    for server in bare + with_plugin:
        load.run(server.port, "/", 1)
    found = interleave(bare + with_plugin, options.rounds, options.seconds, "/", 0, progress)
    for server in with_plugin:
        fleet.stop(server)
    result = {name: summarise(runs) for name, runs in found.items()}
    for server in bare:
        pairs = zip(found[server.name + "+rust"], found[server.name])
        result[server.name + "+rust"]["extra_us"] = statistics.median(a["cpu_us"] - b["cpu_us"] for a, b in pairs)
    return result


class Editor(threading.Thread):
    """Replaces the configuration file by rename once a second: a new plugin configuration, so that each edit starts new VMs."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self._server, self._ended = server, threading.Event()
        self.edits = 0

    def run(self):
        while not self._ended.wait(1.0):
            self.write()

    def write(self):
        self.edits += 1
        extra = (f'\n                          response_headers_to_add: [{{header: {{key: x-edit, value: "{self.edits}"}}}}]')
        path = self._server.config_path
        with open(path + ".new", "w") as out:
            out.write(self._server.render_config(f"edit {self.edits}", extra))
        os.rename(path + ".new", path)

    def end(self):
        self._ended.set()
        self.join()


def generation(server):
    status, _, body = load.fetch(server.admin_port, "/reload")
    if status != 200:
        raise RuntimeError(f"{server.name}: GET /reload gave {status}")
    return json.loads(body)["generation"]


def swap(fleet, options, progress):
    """weir with a plugin, loaded: rounds with an edit each second beside rounds without."""
    server = fleet.start("weir", plugins=1, label="weir+rust")
    load.check(server, "/", plugin=True)
    load.run(server.port, "/", 1)
    seconds = max(options.seconds, 5)
    quiet, edited, edits = [], [], 0
    before = generation(server)
    for at in range(options.rounds):
        for kind in (("quiet", "edited") if at % 2 == 0 else ("edited", "quiet")):
            progress(f"round {at + 1}/{options.rounds} {kind}")
            if kind == "quiet":
                quiet.append(load.measure(server, "/", seconds))
                continue
            editor = Editor(server)
            editor.start()
            edited.append(load.measure(server, "/", seconds))
            editor.end()
            edits += editor.edits
            _wait_for_edit(server, editor.edits)
    result = {"without swaps": summarise(quiet), "a swap each second": summarise(edited)}
    result["a swap each second"].update(edits=edits, generations=generation(server) - before)
    result["memory_mib"] = server.process.memory_mib()
    fleet.stop(server)
    return result


def _wait_for_edit(server, number, seconds=5):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if load.fetch(server.port)[1].get("x-edit") == str(number):
            return
        time.sleep(0.02)
    raise RuntimeError(f"weir does not serve edit {number} after {seconds} s:\n{server.process.log_tail()}")


# --- memory --------------------------------------------------------------------------------------------------------------

def _resident(fleet, kind, plugins, workers):
    """Resident memory once every worker has served."""
    server = fleet.start(kind, plugins=plugins, workers=workers)
    started = server.process.memory_mib()
    load.run(server.port, "/", 2)
    time.sleep(0.5)
    found = server.process.memory_mib()
    found["rss_at_start"] = started["rss"]
    found["guest"] = server.process.guest_memory_mib() if plugins else 0.0
    fleet.stop(server)
    return found


def memory(fleet, names, options, progress):
    wanted = [(name, 0, 1) for name in names] + [("envoy", 1, 1)] * ("envoy" in names)
    if "weir" in names:
        wanted += [("weir", 0, 2), ("weir", 1, 1), ("weir", 1, 2), ("weir", 1, 4), ("weir", 6, 2)]
    result = {}
    for kind, plugins, workers in wanted:
        label = f"{kind}, {plugins} plugin{'s' * (plugins != 1)}, {workers} worker{'s' * (workers != 1)}"
        progress(label)
        result[label] = {"kind": kind, "plugins": plugins, "workers": workers, **_resident(fleet, kind, plugins, workers)}
    if "weir" in names:
        result["slopes"] = _slopes({(r["plugins"], r["workers"]): r for r in result.values() if r["kind"] == "weir"})
    return result


def _slopes(weir):
    """MiB for each further VM: total resident, and without what the guests themselves touch."""
    def slope(more, less, count):
        rss, guest = (weir[more][key] - weir[less][key] for key in ("rss", "guest"))
        return {"rss": rss / count, "guest": guest / count, "own": (rss - guest) / count}
    return {"each further plugin (per worker)": slope((6, 2), (1, 2), 10), "each further worker (one plugin)": slope((1, 4), (1, 2), 2)}


# --- system calls --------------------------------------------------------------------------------------------------------

def syscalls(servers, _options, progress):
    result = {}
    for server in servers:
        progress(server.name)
        with tempfile.NamedTemporaryFile("r", suffix=".strace") as table:
            tracer = subprocess.Popen(["strace", "-f", "-q", "-c", "-o", table.name, "-p", str(server.process.pid)],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            time.sleep(0.5)
            run = load.run(server.port, "/", 3)
            tracer.terminate()
            complaint = tracer.communicate(timeout=10)[1].decode()
            counts = _strace_counts(table.read())
        if not counts:
            raise RuntimeError(f"strace says: {complaint.strip() or 'nothing'}")
        result[server.name] = {name: {"calls": calls / run["requests"], "errors": errors / run["requests"]}
                               for name, (calls, errors) in counts.items() if calls > run["requests"] / 1000}
    return result


def _strace_counts(table):
    counts = {}
    for line in table.splitlines():
        # % time, seconds, usecs/call, calls, errors (may be missing), name
        row = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(\d+)?\s*(\w+)$", line)
        if row and row[3] != "total":
            counts[row[3]] = (int(row[1]), int(row[2] or 0))
    return counts
