"""TLS, HTTP/2 and TCP: what the scenarios beyond plain HTTP/1.1 measure. Each proxy is one process with a port for each protocol."""

import json
import os
import re
import resource
import shutil
import subprocess
import time

import load
from processes import Cores, free_port, prepare_child
from scenarios import summarise
from servers import render

NAMES = ["tls_full", "tls_resumed", "tls_requests", "tls_1m", "h2_h1", "h2_both", "tcp", "tcp_1m", "tls_idle"]
TITLES = {
    "tls_full": "TLS 1.3: full handshake and one request per connection",
    "tls_resumed": "TLS 1.3: resumed handshake and one request per connection",
    "tls_requests": "HTTPS, kept connections: 46-byte response",
    "tls_1m": "HTTPS: response of 1 MiB",
    "h2_h1": "HTTP/2 down (32 streams), HTTP/1.1 up: 46-byte response",
    "h2_both": "HTTP/2 both ways (32 streams)",
    "tcp": "TCP: small messages",
    "tcp_1m": "TCP: 1 MiB",
    "tls_idle": "idle TLS connections",
}
# Which proxies have no such protocol.
LACKING = {"h2_both": ["pump", "nginx"], "tls_idle": ["pump"], "tls_full": ["pump"], "tls_resumed": ["pump"], "tls_requests": ["pump"], "tls_1m": ["pump"],
           "h2_h1": ["pump"]}
IDLE_CONNECTIONS = int(os.environ.get("WEIR_BENCH_IDLE", "9800"))
STREAMS, CLIENTS = 32, 4
NGINX_STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"


class Protocols:
    """The proxies with all protocols, each started once, and the origin for HTTP/2."""

    def __init__(self, fleet, servers, folder, tools):
        self._fleet, self._servers, self._folder, self._tools = fleet, servers, folder, tools
        self._started = {}
        self._h2_origin = None
        self.client = os.path.join(tools, "tls_client")
        self._certificate()

    def _certificate(self):
        key, crt = self._path("bench.key"), self._path("bench.crt")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
                        "-subj", "/CN=bench.test", "-addext", "subjectAltName=DNS:bench.test,DNS:localhost,IP:127.0.0.1",
                        "-keyout", key, "-out", crt], check=True, capture_output=True)
        with open(self._path("bench.pem"), "w") as out:
            for part in (crt, key):
                with open(part) as source:
                    out.write(source.read())

    def _path(self, name):
        return os.path.join(self._folder, name)

    def h2_origin(self):
        if self._h2_origin is None:
            port = free_port()
            root = self._path("h2root")
            os.makedirs(root, exist_ok=True)
            with open(os.path.join(root, "index.html"), "w") as out:
                out.write("x" * load.SMALL_BODY)
            self._fleet.start("nghttpd", ["nghttpd", "--no-tls", "-a", "127.0.0.1", "-d", root, "-m", "1000", str(port)], port,
                              self._path("nghttpd.log"), Cores.load)
            self._h2_origin = port
        return self._h2_origin

    def get(self, kind):
        if kind in self._started:
            return self._started[kind]
        ports = {name: free_port() for name in ("TLS", "H2C", "H2H2", "TCP", "ADMIN")}
        values = {**ports, "DIR": self._folder, "ORIGIN": self._servers.origin_port, "H2_ORIGIN": self.h2_origin() if shutil.which("nghttpd") else 1}
        binary = self._servers.binary(kind)
        if kind == "pump":
            command, first = [os.path.join(self._tools, "pump"), str(ports["TCP"]), str(self._servers.origin_port)], "TCP"
        elif kind == "nginx":
            with_stream = os.path.exists(NGINX_STREAM_MODULE)
            values["STREAM_MODULE"] = f"load_module {NGINX_STREAM_MODULE};" if with_stream else ""
            values["STREAM"] = (f"stream {{ server {{ listen 127.0.0.1:{ports['TCP']}; tcp_nodelay on; "
                                f"proxy_pass 127.0.0.1:{values['ORIGIN']}; }} }}") if with_stream else ""
            path = self._write("protocols_nginx.conf", values)
            command, first = [binary, "-p", self._folder, "-c", path, "-e", "stderr"], "TLS"
        elif kind == "haproxy":
            command, first = [binary, "-db", "-f", self._write("protocols_haproxy.cfg", values)], "TLS"
        else:
            path = self._write("protocols_proxy.yaml", values)
            command, first = [binary, "-c", path, "--concurrency", "1", "-l", "error"], "TLS"
            command += ["--disable-hot-restart"] if kind == "envoy" else ["--drain-time-s", "0"]
        process = self._fleet.start(kind, command, ports[first], self._path(f"protocols-{kind}.log"), Cores.proxy)
        self._started[kind] = Proxy(kind, process, ports)
        return self._started[kind]

    def _write(self, template, values):
        path = self._path(template)
        with open(path, "w") as out:
            out.write(render(template + ".in", **values))
        return path


class Proxy:
    def __init__(self, name, process, ports):
        self.name, self.process, self.ports = name, process, ports


def _output(command, seconds):
    cores = Cores.load
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, preexec_fn=prepare_child(cores))
    return done.stdout, done.stderr


def _handshakes(mode):
    def run(protocols, proxy, seconds):
        out, err = _output([protocols.client, mode, str(proxy.ports["TLS"]), str(seconds)], seconds)
        found = json.loads(out.split("RESULT ", 1)[1]) if "RESULT " in out else None
        if not found:
            raise RuntimeError(f"tls_client said: {out}{err}")
        if mode == "resumed" and found["reused"] < found["requests"] * 0.9:
            raise RuntimeError(f"{proxy.name}: only {found['reused']} of {found['requests']} sessions were resumed")
        return found
    return run


def _wrk(scheme, port, path):
    def run(_protocols, proxy, seconds):
        return load.run(proxy.ports[port], path, seconds, cores=Cores.load, scheme=scheme)
    return run


def _h2load(port):
    def run(_protocols, proxy, seconds):
        out, err = _output(["h2load", "-t1", f"-c{CLIENTS}", f"-m{STREAMS}", f"-D{seconds}", f"http://127.0.0.1:{proxy.ports[port]}/"], seconds)
        row = re.search(r"requests: (\d+) total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed", out)
        if not row or int(row[3]) == 0:
            raise RuntimeError(f"{proxy.name}: h2load said: {out[-400:]}{err[-400:]}")
        return {"requests": int(row[3]), "failed": int(row[4]), "duration_us": seconds * 1e6, "p99_us": 0}
    return run


RUNNERS = {
    "tls_full": _handshakes("full"), "tls_resumed": _handshakes("resumed"), "tls_requests": _wrk("https", "TLS", "/"), "tls_1m": _wrk("https", "TLS", "/1m"),
    "h2_h1": _h2load("H2C"), "h2_both": _h2load("H2H2"), "tcp": _wrk("http", "TCP", "/"), "tcp_1m": _wrk("http", "TCP", "/1m"),
}


def lacks(name, kind):
    if name in ("tcp", "tcp_1m") and kind == "nginx":
        return not os.path.exists(NGINX_STREAM_MODULE)
    return kind in LACKING.get(name, [])


def run(name, protocols, kinds, options, progress):
    """CPU of each proxy's process per request (per connection for handshakes), rounds interleaved."""
    proxies = [protocols.get(kind) for kind in kinds if not lacks(name, kind)]
    if name == "tls_idle":
        return _idle(protocols, proxies, progress)
    measure = RUNNERS[name]
    for proxy in proxies:
        measure(protocols, proxy, 1)
    found = {proxy.name: [] for proxy in proxies}
    for at in range(options.rounds):
        turn = at % len(proxies)
        for proxy in proxies[turn:] + proxies[:turn]:
            progress(f"{name}: round {at + 1}/{options.rounds} {proxy.name}")
            before = proxy.process.cpu_seconds()
            result = measure(protocols, proxy, options.seconds)
            spent = proxy.process.cpu_seconds() - before
            result["cpu_us"] = spent * 1e6 / max(result["requests"], 1)
            result["rps"] = result["requests"] * 1e6 / max(result["duration_us"], 1)
            found[proxy.name].append(result)
    return {name: summarise(runs) for name, runs in found.items()}


def _idle(protocols, proxies, progress):
    """Resident memory for each idle TLS connection that has served one request."""
    count = min(IDLE_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100)
    result = {}
    for proxy in proxies:
        progress(f"tls_idle: {proxy.name}")
        before = proxy.process.memory_mib()["rss"]
        client = subprocess.Popen([protocols.client, "idle", str(proxy.ports["TLS"]), str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  text=True, preexec_fn=prepare_child(Cores.load))
        ready = client.stdout.readline().strip() == "READY"
        time.sleep(1)
        after = proxy.process.memory_mib()["rss"]
        client.stdin.close()
        client.wait(30)
        if not ready:
            raise RuntimeError(f"{proxy.name} did not take {count} TLS connections")
        result[proxy.name] = {"connections": count, "kib_each": (after - before) * 1024 / count, "rss_before": before, "rss": after}
    return result


def goals(results):
    """(what, measured, limit): weir costs at most what nginx and HAProxy do."""
    for name in NAMES:
        found = results.get(name, {})
        key = "kib_each" if name == "tls_idle" else "cpu_us"
        for other in ("nginx",) if name == "tls_idle" else ("nginx", "haproxy"):
            if "weir" in found and other in found:
                yield f"{TITLES[name]}: weir to {other}", found["weir"][key] / found[other][key], 1.0
