"""Tables for people; the JSON is the same data."""

import protocols
import scenarios
import wasm


def table(rows, header):
    rows = [header, *rows]
    widths = [max(len(row[at]) for row in rows) for at in range(len(header))]
    lines = []
    for number, row in enumerate(rows):
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("  " + "  ".join(cells).rstrip())
        if number == 0:
            lines.append("  " + "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def number(value):
    if value is None:
        return "-"
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _ratio(value, base):
    return f"{value / base['cpu_us']:.2f}" if base else "-"


def cpu_table(found):
    nginx, pump = found.get("nginx"), found.get("pump")
    extra = any("extra_us" in result for result in found.values())
    header = ["CPU per request", "us", "min..max"] + (["plugin adds"] if extra else ["to nginx", "to pump", "over floor"])
    rows = []
    for name, result in found.items():
        row = [name, number(result["cpu_us"]), f"{number(result['cpu_us_min'])}..{number(result['cpu_us_max'])}"]
        if extra:
            row.append(f"{result['extra_us']:+.1f}" if "extra_us" in result else "-")
        else:
            over = f"{result['cpu_us'] - pump['cpu_us']:+.1f}" if pump else "-"
            row += [_ratio(result["cpu_us"], nginx), _ratio(result["cpu_us"], pump), over]
        rows.append(row + [f"{result['rps']:.0f}", f"{result['p99_us'] / 1000:.2f}", str(result["failed"])])
    return table(rows, header + ["req/s", "p99 ms", "failed"])


def swap_table(found):
    rows = []
    for name in ("without swaps", "a swap each second"):
        result = found[name]
        rows.append([name, f"{result['p99_us'] / 1000:.2f}", f"{result['rps']:.0f}", number(result["cpu_us"]), str(result["requests"]),
                     str(result["failed"]), str(result.get("edits", "-")), str(result.get("generations", "-"))])
    return table(rows, ["weir+rust under full load", "p99 ms", "req/s", "CPU us", "requests", "failed", "edits", "generations"])


def memory_table(found):
    rows = [[name, number(r["rss_at_start"]), number(r["rss"]), number(r["anon"]), number(r["guest"])]
            for name, r in found.items() if name != "slopes"]
    text = table(rows, ["MiB", "RSS at start", "RSS", "RssAnon", "touched by guests"])
    if "slopes" in found:
        rows = [[name, f"{r['rss']:.2f}", f"{r['guest']:.2f}", f"{r['own']:.2f}"] for name, r in found["slopes"].items()]
        text += "\n\n" + table(rows, ["MiB for each VM more", "RSS", "touched by the guest", "weir's own"])
    return text


def syscalls_table(found):
    names = sorted({call for counts in found.values() for call in counts}, key=lambda c: -max(r.get(c, {"calls": 0})["calls"] for r in found.values()))
    rows = []
    for call in names:
        cells = []
        for counts in found.values():
            count = counts.get(call)
            cells.append("-" if not count else f"{count['calls']:.2f}" + (f" ({count['errors']:.2f} failed)" if count["errors"] >= 0.005 else ""))
        rows.append([call, *cells])
    totals = [f"{sum(c['calls'] for c in counts.values()):.2f}" for counts in found.values()]
    return table([*rows, ["total", *totals]], ["system calls per request", *found])


def idle_table(found):
    rows = [[name, f"{r['kib_each']:.1f}", number(r["rss_before"]), number(r["rss"]), str(r["connections"])] for name, r in found.items()]
    return table(rows, ["idle TLS connections", "KiB each", "RSS before", "RSS, MiB", "connections"])


def wasm_table(found):
    lines = []
    for name, envoy, weir in wasm.rows(found):
        ratio = f"{weir['extra_us'] / envoy['extra_us']:.2f}" if envoy and weir and envoy["extra_us"] > 0 else "-"
        both = [f"{each['extra_us']:+.1f}" if each else "-" for each in (envoy, weir)]
        memory = [f"{each[key]:.1f}" if each else "-" for key in ("first_mib", "further_mib") for each in (envoy, weir)]
        failed = sum(each["failed"] for each in (envoy, weir) if each)
        lines.append([name, *both, ratio, *memory, str(failed)])
    return table(lines, ["us added to a request", "Envoy", "weir", "weir to Envoy", "MiB of all, Envoy", "weir", "of one more, Envoy", "weir", "failed"])


def render(name, found):
    if name in wasm.NAMES:
        return f"{wasm.TITLE}\n{wasm_table(found)}"
    if name == "tls_idle":
        return f"{protocols.TITLES[name]}\n{idle_table(found)}"
    if name in protocols.TITLES:
        return f"{protocols.TITLES[name]}\n{cpu_table(found)}"
    if name in scenarios.TITLES:
        return f"{scenarios.TITLES[name]}\n{cpu_table(found)}"
    return {"swap": lambda: "hot swap\n" + swap_table(found), "memory": lambda: "memory\n" + memory_table(found),
            "syscalls": lambda: "system calls\n" + syscalls_table(found)}[name]()


def _cpu(results, scenario, proxy):
    found = results.get(scenario, {}).get(proxy)
    return found["cpu_us"] if found else None


def goals(results):
    """(what, measured, limit) for whatever of docs/performance.md has been measured."""
    yield from wasm.goals(results.get("wasm", {}))
    weir, nginx, pump = (_cpu(results, "plain", name) for name in ("weir", "nginx", "pump"))
    if weir and nginx:
        yield "plain request: weir to nginx", weir / nginx, 1.0
        if pump and nginx > pump:
            yield "plain request: what weir adds to the pump, to what nginx adds (aim)", (weir - pump) / (nginx - pump), 0.5
    for scenario in list(scenarios.BODIES)[1:]:
        weir = _cpu(results, scenario, "weir")
        for other in ("pump", "envoy"):
            base = _cpu(results, scenario, other)
            if weir and base:
                yield f"{scenarios.TITLES[scenario]}: weir to {other}", weir / base, 1.05
    yield from protocols.goals(results)
    plugin = results.get("filter", {}).get("weir+rust")
    if plugin:
        yield "Rust header filter, us more", plugin["extra_us"], 2.5
    swap = results.get("swap")
    if swap:
        quiet, edited = swap["without swaps"], swap["a swap each second"]
        yield "failed requests under swaps", edited["failed"], 0
        yield "edits that did not become a generation", abs(edited["edits"] - edited["generations"]), 0
        yield "p99 with swaps to without", edited["p99_us"] / max(quiet["p99_us"], 1), 1.2
    memory = results.get("memory", {})
    bare, one = memory.get("weir, 0 plugins, 2 workers"), memory.get("weir, 1 plugin, 2 workers")
    if bare and one:
        yield "RSS without a plugin, 2 workers, MB", bare["rss"] * 1.048576, 12
        yield "RSS with one Rust plugin, 2 workers, MB", one["rss"] * 1.048576, 55
        yield "RssAnon with one Rust plugin, 2 workers, MB", one["anon"] * 1.048576, 25
        for name, slope in memory["slopes"].items():
            # A further plugin shares V8's isolate; a worker has its own.
            limit = 0.4 if name.startswith("each further plugin") else 1.2
            yield f"{name}, MB beyond the guest's own", slope["own"] * 1.048576, limit


def goals_table(results):
    rows = [[what, f"{value:.2f}", f"{limit:g}", "ok" if value <= limit + 1e-9 else "OVER"] for what, value, limit in goals(results)]
    return "goals\n" + table(rows, ["", "measured", "limit", ""]) if rows else ""
