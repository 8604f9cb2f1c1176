# For tests that are scripts: starts the real weir on free ports and looks at its answers with curl.
#   start_weir BUILD_FOLDER CONFIG    ports in CONFIG are replaced by free ones
#   get PATH [curl options...]        expect_status N    expect_header NAME VALUE    expect_body TEXT    finish_dialogue
set -euo pipefail
dialogue=$(mktemp -d)
weir_pid=
dialogue_failures=0

cleanup_dialogue() {
  [ -z "$weir_pid" ] || { kill -TERM "$weir_pid" 2>/dev/null && wait "$weir_pid" 2>/dev/null; } || true
  rm -rf "$dialogue"
}
trap cleanup_dialogue EXIT

start_weir() {
  local deadline=$((SECONDS + 20))
  sed -E 's/port_value: *[0-9]+/port_value: 0/g' "$2" >"$dialogue/weir.yaml"
  grep -q '^admin:' "$dialogue/weir.yaml" ||
    printf 'admin:\n  address:\n    socket_address: { address: 127.0.0.1, port_value: 0 }\n' >>"$dialogue/weir.yaml"
  "$1/weir" -c "$dialogue/weir.yaml" --concurrency 1 --drain-time-s 0 --admin-address-path "$dialogue/admin" \
    >"$dialogue/log" 2>&1 </dev/null &
  weir_pid=$!
  until [ -s "$dialogue/admin" ] && curl -sf -o /dev/null --max-time 2 "http://$(cat "$dialogue/admin")/ready"; do
    kill -0 "$weir_pid" 2>/dev/null || { cat "$dialogue/log"; echo "weir has ended"; exit 1; }
    [ $SECONDS -lt $deadline ] || { cat "$dialogue/log"; echo "weir is not ready after 20 s"; exit 1; }
    read -rt 0.05 <> <(:) || true
  done
  listener=$(curl -s --max-time 5 "http://$(cat "$dialogue/admin")/listeners" | sed -n '1s/.*::\([0-9.]*:[0-9]*\)$/\1/p')
}

get() {
  local path=$1
  shift
  curl -s --max-time 10 -D "$dialogue/head" -o "$dialogue/body" "$@" "http://$listener$path"
}

expect() {
  if [ "$2" = "$3" ]; then echo "ok: $1 is $3"; else
    echo "FAILED: $1 is '$2', expected '$3'"
    dialogue_failures=$((dialogue_failures + 1))
  fi
}
expect_status() { expect status "$(sed -n '1s/^[^ ]* \([0-9]*\).*/\1/p' "$dialogue/head")" "$1"; }
expect_header() { expect "header $1" "$(tr -d '\r' <"$dialogue/head" | sed -n "s/^$1: //Ip" | head -1)" "$2"; }
expect_body() { expect body "$(cat "$dialogue/body")" "$1"; }

finish_dialogue() {
  [ $dialogue_failures = 0 ] || { cat "$dialogue/log"; exit 1; }
}
