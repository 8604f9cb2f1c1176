#!/usr/bin/env python3
"""Runs the scenarios; started by tools/bench, which prepares the programs that are named here."""

import argparse
import datetime
import functools
import json
import os
import shutil
import signal
import sys
import tempfile

import load
import protocols
import report
import scenarios
import wasm
from processes import Cores, Fleet, machine
from servers import ORDER, Servers

NAMES = [*scenarios.NAMES, *protocols.NAMES, *wasm.NAMES]


def arguments():
    parser = argparse.ArgumentParser(prog="tools/bench", description="weir beside nginx, HAProxy, Envoy and a byte pump: CPU time per request, memory, hot swap.")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default 5)")
    parser.add_argument("--seconds", type=int, default=3, help="seconds of load for each proxy in a round (default 3)")
    parser.add_argument("--only", default="", help="scenarios, with commas: " + ", ".join(NAMES))
    parser.add_argument("--case", default="", metavar="TEXT", help="of the plugins (wasm), those with TEXT in their name")
    parser.add_argument("--proxies", default=",".join(ORDER), help="with commas (default: %(default)s)")
    parser.add_argument("--syscalls", action="store_true", help="also count system calls per request (strace)")
    parser.add_argument("--unpinned", action="store_true", help="let the kernel choose the cores; else proxies have the last one, load and origin the others")
    parser.add_argument("--json", metavar="FILE", help="write everything that was measured")
    parser.add_argument("--tools", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--weir", default="/nonexistent", help=argparse.SUPPRESS)
    parser.add_argument("--envoy", default="/nonexistent", help=argparse.SUPPRESS)
    parser.add_argument("--module", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not any(options.case in case.name for case in wasm.CASES):
        parser.error("--case: none of " + ", ".join(case.name for case in wasm.CASES))
    options.only = [name for name in options.only.split(",") if name]
    options.proxies = [name for name in ORDER if name in options.proxies.split(",")]
    unknown = set(options.only) - set(NAMES)
    if unknown or not options.proxies or options.rounds < 1 or options.seconds < 1:
        parser.error(f"unknown scenario {', '.join(unknown)}" if unknown else "nothing to do")
    return options


def wanted_scenarios(options):
    if options.only:
        return options.only
    return [name for name in NAMES if name != "syscalls" or options.syscalls]


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K  {text}", end="", file=sys.stderr, flush=True)


def skip(name, why, results):
    print(f"SKIPPED {name}: {why}\n")
    results[name] = {"skipped": why}


def run_one(name, fleet, plain, options, ways):
    if name in protocols.NAMES:
        return protocols.run(name, ways(), [server.name for server in plain], options, progress)
    if name in wasm.NAMES:
        return wasm.run(fleet, plain, options, progress)
    if name in scenarios.BODIES:
        return scenarios.bodies(name, plain, options, progress)
    if name == "filter":
        return scenarios.filter_cost(fleet, plain, options, progress)
    if name == "swap":
        return scenarios.swap(fleet, options, progress)
    if name == "memory":
        return scenarios.memory(fleet, [server.name for server in plain], options, progress)
    return scenarios.syscalls(plain, options, progress)


def reason_to_skip(name, plain, fleet, options):
    kinds = [server.name for server in plain]
    if name in wasm.NAMES and {"weir", "envoy"} & set(kinds) and wasm.missing(fleet):
        return "guests that could not be built: " + ", ".join(wasm.missing(fleet))
    if name in ("filter", *wasm.NAMES) and not {"weir", "envoy"} & set(kinds):
        return "neither weir nor Envoy here"
    if name == "swap" and "weir" not in kinds:
        return "weir is not there"
    if name in ("filter", "swap", "memory") and not os.path.exists(options.module) and {"weir", "envoy"} & set(kinds):
        return "the Rust guest could not be built (tools/build --guests says why)"
    if name == "h2_h1" and not shutil.which("h2load") or name == "h2_both" and not (shutil.which("h2load") and shutil.which("nghttpd")):
        return "no h2load or nghttpd here (packages nghttp2-client, nghttp2-server)"
    if name == "syscalls" and not shutil.which("strace"):
        return "no strace here"
    return None


def count_failed(found):
    """Of everything below a scenario's results."""
    if not isinstance(found, dict):
        return 0
    return found["failed"] if "failed" in found else sum(count_failed(each) for each in found.values())


def run(options):
    results, broken = {}, 0
    busy = os.getloadavg()[0]
    if not options.unpinned:
        Cores.split()
    with tempfile.TemporaryDirectory(prefix="weir-bench.") as folder, Fleet() as fleet:
        servers = Servers(fleet, folder, options.tools, options.weir, options.envoy, options.module)
        available = servers.available()
        versions = servers.versions()
        for name in options.proxies:
            if name not in available:
                print(f"SKIPPED {name}: not installed here")
        plain = [servers.start(name, cores=Cores.proxy) for name in options.proxies if name in available]
        ways = functools.cache(lambda: protocols.Protocols(fleet, servers, folder, options.tools))
        host = machine()
        print(f"{host['cpu']}, {host['cores']} cores, kernel {host['kernel']}; "
              + ", ".join(f"{name} {version}" for name, version in versions.items() if version)
              + f"; {load.CONNECTIONS} connections, rounds: {options.rounds}, {options.seconds} s each")
        if busy > host["cores"] / 2:
            print(f"this machine was busy before the run (load {busy:.1f}): all figures will be higher and less steady than they need be")
        print()
        for name in wanted_scenarios(options):
            why = reason_to_skip(name, plain, servers, options)
            if why:
                skip(name, why, results)
                continue
            try:
                results[name] = run_one(name, servers, plain, options, ways)
            except (RuntimeError, OSError) as error:
                broken += 1
                results[name] = {"error": str(error)}
                progress("")
                print(f"FAILED {name}: {error}\n")
                continue
            progress("")
            print(report.render(name, results[name]) + "\n", flush=True)
        for server in plain:
            if not server.process.alive():
                broken += 1
                print(f"FAILED: {server.name} has ended during the run:\n{server.process.log_tail()}")
    usable = {name: found for name, found in results.items() if "error" not in found and "skipped" not in found}
    goals = report.goals_table(usable)
    if goals:
        print(goals)
    if options.json:
        with open(options.json, "w") as out:
            json.dump({"when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "machine": host, "versions": versions,
                       "rounds": options.rounds, "seconds": options.seconds, "connections": load.CONNECTIONS, "results": results}, out, indent=1)
            out.write("\n")
    failed = sum(count_failed(found) for found in usable.values())
    if failed:
        print(f"{failed} requests failed")
    return 1 if failed or broken else 0


def main():
    # A signal unwinds the stack, so that everything that was started is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    try:
        sys.exit(run(arguments()))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
