"""The proxies under test: how each is found, configured and started, always with one thread that serves."""

import os
import shutil

from processes import Cores, command_version, free_port

HERE = os.path.dirname(os.path.abspath(__file__))
ORDER = ["pump", "nginx", "haproxy", "envoy", "weir"]


def render(template, **values):
    with open(os.path.join(HERE, "templates", template)) as source:
        text = source.read()
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    return text


def wasm_filters(module, count, configuration=""):
    return "".join(render("wasm_filter.yaml.in", N=n, MODULE=module, CONFIGURATION=configuration) for n in range(count))


class Server:
    """One started proxy. `name` is its column in the tables."""

    def __init__(self, name, process, admin_port=None, config_path=None, render_config=None):
        self.name, self.process, self.port = name, process, process.port
        self.admin_port, self.config_path, self.render_config = admin_port, config_path, render_config


class Servers:
    """Knows what is installed here and starts it in front of one origin."""

    def __init__(self, fleet, folder, tools, weir, envoy, module):
        self._fleet, self._folder, self._tools = fleet, folder, tools
        self._binaries = {"weir": weir, "envoy": envoy, "nginx": shutil.which("nginx") or "/usr/sbin/nginx",
                          "haproxy": shutil.which("haproxy") or "/usr/sbin/haproxy"}
        self.module = module
        self._serial = 0
        self.origin_port = free_port()
        fleet.start("origin", [os.path.join(tools, "origin"), str(self.origin_port)], self.origin_port, self._path("origin.log"), Cores.load)

    def versions(self):
        found = {
            "nginx": command_version([self._binaries["nginx"], "-v"], r"nginx/(\S+)"),
            "haproxy": command_version([self._binaries["haproxy"], "-v"], r"version (\d+\.\d+\.\d+)"),
            "envoy": command_version([self._binaries["envoy"], "--version"], r"/(\d+\.\d+\.\d+)/"),
            "weir": command_version([self._binaries["weir"], "--version"], r"(\d+\.\d+\.\d+)"),
            "wrk": command_version(["wrk", "-v"], r"wrk (\S+)"),
        }
        return found

    def available(self):
        versions = self.versions()
        return [name for name in ORDER if name == "pump" or versions[name]]

    def binary(self, kind):
        return self._binaries.get(kind)

    def _path(self, name):
        return os.path.join(self._folder, name)

    def start(self, kind, plugins=0, workers=1, label=None, cores=None, module=None, configuration=""):
        """`cores`: where it runs; None: anywhere."""
        self._serial += 1
        port, tag = free_port(), f"{kind}-{self._serial}"
        label = label or (kind + ("+rust" if plugins else ""))
        starter = {"pump": self._pump, "nginx": self._nginx, "haproxy": self._haproxy}.get(kind)
        if starter:
            return Server(label, self._fleet.start(kind, starter(tag, port), port, self._path(tag + ".log"), cores))
        return self._from_yaml(kind, tag, label, port, plugins, workers, cores, module or self.module, configuration)

    def stop(self, server):
        self._fleet.stop(server.process)

    def _pump(self, _tag, port):
        return [os.path.join(self._tools, "pump"), str(port), str(self.origin_port)]

    def _nginx(self, tag, port):
        path = self._write(tag + ".conf", render("nginx.conf.in", DIR=self._folder, PORT=port, ORIGIN=self.origin_port))
        return [self._binaries["nginx"], "-p", self._folder, "-c", path, "-e", "stderr"]

    def _haproxy(self, tag, port):
        path = self._write(tag + ".cfg", render("haproxy.cfg.in", PORT=port, ORIGIN=self.origin_port))
        return [self._binaries["haproxy"], "-db", "-f", path]

    def _from_yaml(self, kind, tag, label, port, plugins, workers, cores, module, first):
        admin_port = free_port()

        def config(configuration=first, route_extra=""):
            return render("proxy.yaml.in", ADMIN=admin_port, PORT=port, ORIGIN=self.origin_port, ROUTE_EXTRA=route_extra,
                          FILTERS=wasm_filters(module, plugins, configuration))

        path = self._write(tag + ".yaml", config())
        command = [self._binaries[kind], "-c", path, "--concurrency", str(workers), "-l", "info" if kind == "weir" else "error"]
        if kind == "envoy":
            command.append("--disable-hot-restart")
        else:
            command += ["--drain-time-s", "0"]
        process = self._fleet.start(label, command, port, self._path(tag + ".log"), cores)
        return Server(label, process, admin_port, path, config)

    def _write(self, name, text):
        path = self._path(name)
        with open(path, "w") as out:
            out.write(text)
        return path
