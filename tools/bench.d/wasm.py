"""What plugins cost in weir and in Envoy: the same modules, the same configuration, rounds interleaved."""

import os
import statistics

import load
import scenarios
from processes import Cores

NAMES = ["wasm"]
TITLE = "plugins: what each adds to a request"
GOAL = 0.35  # of what it adds in Envoy
MEMORY_GOAL = 0.30  # of what a further plugin takes in Envoy
FURTHER = 10  # plugins that are added to see what one takes


class Case:
    def __init__(self, name, module, path="/", base="/", configuration="", count=1):
        self.name, self.module, self.path, self.base, self.configuration, self.count = name, module, path, base, configuration, count


CASES = [
    Case("Rust header filter", "rust_headers"),
    Case("Go header filter", "go_headers"),
    Case("body filter, 64 KiB", "bench", path="/64k", base="/64k", configuration="body"),
    # The proxy's own answer is what it adds to.
    Case("local reply", "bench", base="/direct", configuration="reply"),
    Case("ten Rust header filters", "rust_headers", count=10),
]


def module_path(fleet, case):
    return os.path.join(os.path.dirname(fleet.module), case.module + ".wasm")


def missing(fleet):
    return sorted({case.module for case in CASES if not os.path.exists(module_path(fleet, case))})


def _start(fleet, server, case, plugins):
    started = fleet.start(server.name, plugins=plugins, label=server.name + " with it", cores=Cores.proxy,
                          module=module_path(fleet, case), configuration=case.configuration)
    load.run(started.port, case.path, 1)
    started.mib = started.process.memory_mib()["anon"]
    return started


def _measure(fleet, case, bare, options, progress):
    guests = []
    for server in bare:
        started = _start(fleet, server, case, case.count)
        guests.append(started)
        # The engine's own part, which comes with the first plugin, is not in the difference.
        more = _start(fleet, server, case, case.count + FURTHER)
        started.further_mib = (more.mib - started.mib) / FURTHER
        fleet.stop(more)
        started.first_mib = started.mib - server.process.memory_mib()["anon"]
    runs = {server.name: [] for server in [*bare, *guests]}
    pairs = list(zip(bare, guests))
    for at in range(options.rounds):
        # A proxy with and without the plugins, one after the other: what the machine does else changes slowly.
        order = pairs if at % 2 == 0 else [pair[::-1] for pair in reversed(pairs)]
        for server in [server for pair in order for server in pair]:
            progress(f"{case.name}, round {at + 1}/{options.rounds} {server.name}")
            runs[server.name].append(load.measure(server, case.base if server in bare else case.path, options.seconds))
    found = {}
    for plain, guest in pairs:
        differences = [a["cpu_us"] - b["cpu_us"] for a, b in zip(runs[guest.name], runs[plain.name])]
        found[plain.name] = scenarios.summarise(runs[guest.name])
        found[plain.name].update(extra_us=statistics.median(differences),
                                 first_mib=guest.first_mib, further_mib=guest.further_mib)
        fleet.stop(guest)
    return found


def run(fleet, plain, options, progress):
    bare = [server for server in plain if server.name in ("weir", "envoy")]
    for server in bare:
        for path in ("/", "/64k", "/direct"):
            load.run(server.port, path, 1)
    return {case.name: _measure(fleet, case, bare, options, progress) for case in CASES if options.case in case.name}


def rows(found):
    """case, and what was found of Envoy and of weir; None for one that was not measured"""
    for name, by_proxy in found.items():
        envoy, weir = by_proxy.get("envoy"), by_proxy.get("weir")
        yield name, envoy, weir


def goals(found):
    for name, envoy, weir in rows(found):
        if envoy and weir and envoy["extra_us"] > 0:
            yield f"{name}: what it adds in weir, to Envoy", weir["extra_us"] / envoy["extra_us"], GOAL
        if envoy and weir and envoy["further_mib"] > 0:
            yield f"{name}: memory of a further one, to Envoy", weir["further_mib"] / envoy["further_mib"], MEMORY_GOAL
