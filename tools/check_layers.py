#!/usr/bin/env python3
"""Checks the include graph: no cycles, layers in order, one third-party library in one folder.

Exits 1 and prints file:line for each violation.
"""

import os
import re

import source_text as st

LAYERS = ["base", "stats", "event", "net", "http", "stream", "upstream", "router", "wasm", "filters", "proxy", "config",
          "admin", "server"]
RANK = {layer: rank for rank, layer in enumerate(LAYERS)}

# Header of a library -> where it may be included (prefixes of paths).
THIRD_PARTY = [
    (r"event2/|event\.h$|evutil\.h$", ("src/event/",)),
    (r"yaml-cpp/", ("src/config/",)),
    (r"v8|libplatform/|cppgc/|node\.h$|node_", ("src/wasm/v8/",)),
    (r"nghttp2/", ("src/http/h2/",)),
    (r"openssl/(ssl|tls|bio|x509|pem|ocsp|pkcs)\w*\.h", ("src/net/tls/",)),
    (r"ares", ("src/upstream/dns/",)),
    (r"hiredis/", ("src/upstream/redis/",)),
    (r"zlib\.h$", ("src/base/", "src/filters/http/compression/")),
    (r"brotli/|zstd\w*\.h$", ("src/filters/http/compression/",)),
    (r"openssl/", ("src/base/", "src/net/tls/")),
    (r"re2/|nlohmann/|fmt/", ("src/base/",)),
    (r"tl/", ("include/weir/",)),
    (r"CLI/", ("src/main.cc", "src/server/")),
    (r"gtest/|gmock/|benchmark/", ()),
]
# The one native filter that reaches further than include/weir.
REACHING = "src/filters/network/tcp_proxy/"
REACHES = {"filters", "base", "event", "http", "stream", "upstream", "router"}
# What the engine's module has of the layer that loads it.
READER = "src/wasm/binary/"
# Of the system, native filters and the public headers use the standard library alone.
STANDARD = re.compile(r"^[a-z_0-9]+$")

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)


def layer_of(path):
    parts = path.split("/")
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


def includes(path, text):
    """Yields (line, name, file or None): file is the included file of this project."""
    for match in INCLUDE.finditer(text):
        name = match.group(2)
        candidates = [f"include/{name}", f"src/{name}", f"test/{name}", os.path.normpath(f"{os.path.dirname(path)}/{name}")]
        target = next((c for c in candidates if os.path.isfile(os.path.join(st.ROOT, c))), None)
        yield st.line_of(text, match.start()), name, target


def check_own(path, line, name, target, messages):
    """An include of a file of this project."""
    layer, used = layer_of(path), layer_of(target)
    if path.startswith("include/"):
        if not target.startswith("include/"):
            messages.append(f"{path}:{line}: the public headers include only themselves, not {name}")
        return
    if target.startswith("test/"):
        messages.append(f"{path}:{line}: {name} belongs to the tests")
        return
    if path == "src/main.cc" or target.startswith("include/") or used is None:
        return
    if target.startswith("src/wasm/v8/") and not path.startswith("src/wasm/v8/"):
        messages.append(f"{path}:{line}: {name}: the engine is reached through wasm/engine.h alone")
    elif path.startswith(READER) and not (target.startswith(READER) or target == "src/wasm/engine.h" or used == "base"):
        messages.append(f"{path}:{line}: {name}: {READER} is compiled into the engine's module, which has nothing else of its layer")
    elif layer not in RANK or used not in RANK:
        messages.append(f"{path}:{line}: {name}: a folder that is no layer (see tools/check_layers.py)")
    elif layer == "filters" and used not in (REACHES if path.startswith(REACHING) else {"filters"}):
        messages.append(f"{path}:{line}: {name}: native filters are written against include/weir alone")
    elif RANK[used] > RANK[layer]:
        messages.append(f"{path}:{line}: {name}: {layer} stands below {used}")
    if f'"{name}"' in st.read(path) and not os.path.isfile(os.path.join(st.ROOT, "src", name)):
        messages.append(f'{path}:{line}: "{name}": write the path relative to src/')


def check_foreign(path, line, name, messages):
    """An include of the system or of a library."""
    for pattern, allowed in THIRD_PARTY:
        if re.match(pattern, name):
            if not path.startswith(allowed):
                messages.append(f"{path}:{line}: <{name}> belongs to {', '.join(allowed) or 'the tests'}")
            return
    if path.startswith(("include/", "src/filters/")) and not STANDARD.match(name):
        messages.append(f"{path}:{line}: <{name}>: only the standard library here")


def find_cycles(graph):
    """Each cycle of the file graph once, as a list of paths."""
    state, stack, cycles = {}, [], []

    def visit(node):
        state[node] = 1
        stack.append(node)
        for following in graph.get(node, ()):
            if state.get(following) == 1:
                cycles.append(stack[stack.index(following):] + [following])
            elif following not in state:
                visit(following)
        stack.pop()
        state[node] = 2

    for node in graph:
        if node not in state:
            visit(node)
    return cycles


def main():
    messages, graph = [], {}
    for path in st.files("src", "include"):
        text = st.read(path)
        if path.endswith(".h") and "#pragma once" not in text:
            messages.append(f"{path}:1: #pragma once is missing")
        for line, name, target in includes(path, text):
            if target:
                graph.setdefault(path, []).append(target)
                check_own(path, line, name, target, messages)
            else:
                check_foreign(path, line, name, messages)
    for cycle in find_cycles(graph):
        messages.append(f"{cycle[0]}:1: include cycle: {' > '.join(cycle)}")
    st.finish("check_layers", messages)


if __name__ == "__main__":
    main()
