#!/usr/bin/env bash
# The static checks find what they are there for, and leave alone what is fine.
set -euo pipefail
command -v python3 >/dev/null && command -v git >/dev/null || { echo "skipped: needs python3 and git"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/tools/allowlist"
cp tools/*.py "$work/tools/"
cd "$work"
git init -q .
failures=0

# put FILE TEXT
put() { mkdir -p "$(dirname "$1")"; printf '%b\n' "$2" >"$1"; }
clear_tree() { rm -rf src include test tools/allowlist/*; }
# finds CHECK EXPECTED: the check fails and says EXPECTED.
finds() {
  local output
  if output=$(python3 -B "tools/check_$1.py"); then
    echo "FAILED: check_$1 passes, expected: $2"
    failures=$((failures + 1))
  elif [[ $output != *"$2"* ]]; then
    echo "FAILED: check_$1 says: $output; expected: $2"
    failures=$((failures + 1))
  fi
  clear_tree
}
passes() {
  local output
  output=$(python3 -B "tools/check_$1.py") || { echo "FAILED: $2: check_$1 says: $output"; failures=$((failures + 1)); }
  clear_tree
}

put src/base/log.h '#pragma once'
put src/net/a.cc '#include "base/log.h"\n#include <vector>'
passes layers "a lower layer"
put src/net/a.h '#pragma once'
put src/base/a.cc '#include "net/a.h"'
finds layers "src/base/a.cc:1: net/a.h: base stands below net"
put src/base/a.h '#pragma once\n#include "base/b.h"'
put src/base/b.h '#pragma once\n#include "base/a.h"'
finds layers "include cycle"
put src/proxy/a.cc '#include <event2/event.h>'
finds layers "<event2/event.h> belongs to src/event/"
put src/wasm/a.cc '#include <v8.h>'
finds layers "<v8.h> belongs to src/wasm/v8/"
put src/base/log.h '#pragma once'
put src/filters/http/x/x.cc '#include "base/log.h"'
finds layers "native filters are written against include/weir alone"
put src/base/log.h '#pragma once'
put include/weir/x.h '#pragma once\n#include "base/log.h"'
finds layers "the public headers include only themselves"
put src/base/a.h 'int x;'
finds layers "#pragma once is missing"

put src/http/a.cc 'void f() { throw 1; }'
finds bans "src/http/a.cc:1: exceptions stay inside src/config"
put src/http/a.cc '// throw away\nconst char* text = "throw";\nint nothrow_count;'
passes bans "words in comments and literals"
put src/config/a.cc 'void f() { try { g(); } catch (...) {} }'
passes bans "exceptions in config"
put src/router/a.cc 'std::shared_ptr<Thing> thing;'
finds bans "shared_ptr is for immutable snapshots"
put src/router/a.cc 'std::shared_ptr<const Thing> thing;'
passes bans "an immutable snapshot"
put src/router/a.cc 'std::function<void()> f;'
finds bans "no std::function on the request path"
put src/server/a.cc 'std::function<void()> f;'
passes bans "std::function beside the request path"
put src/net/a.cc 'void f() { delete this; }'
finds bans "no delete by hand"
put src/net/a.h 'struct A { A(const A&) = delete; };'
passes bans "a deleted function"
put src/net/a.cc 'void f() { loop.post([&] { g(); }); }'
finds bans "[&] and [=] are for lambdas that stay local"
put src/net/a.cc 'void f() {\n  std::sort(a, b, [&](int x, int y) { return k[x] < k[y]; });\n  const auto g = [&] { return 1; };\n  g();\n}'
passes bans "lambdas that stay local"
put src/net/a.cc 'void f() {\n  const auto g = [&] { return 1; };\n  loop.post(g);\n}'
finds bans "list the captures"
put test/unit/a_test.cc 'void f() { std::this_thread::sleep_for(1ms); }'
finds bans "no sleeping"
put src/net/a.cc 'class SocketManager {};'
finds bans "no Manager"
put src/net/a.cc 'std::shared_ptr<A> a; std::shared_ptr<A> b;'
put tools/allowlist/shared_ptr.txt 'src/net/a.cc 2  # why'
passes bans "an allowed file"
put src/net/a.cc 'std::shared_ptr<A> a;'
put tools/allowlist/shared_ptr.txt 'src/net/a.cc 2  # why'
finds bans "lower the number"

put src/net/a.cc "void f() {$(printf '\\n  g();%.0s' $(seq 90))\n}"
finds sizes "a function of 92 lines; the gate is 80"
put src/net/a.h "$(printf 'int x;\\n%.0s' $(seq 401))"
finds sizes "the gate is 400"
put src/net/a.cc "namespace weir {\n$(printf 'int x;\\n%.0s' $(seq 100))}\nvoid f() {\n}"
passes sizes "a namespace is no function"

[ $failures = 0 ] && echo "all checks behave"
