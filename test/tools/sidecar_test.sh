#!/usr/bin/env bash
# Two pods with sidecars: network namespaces joined by a wire, docker/redirect.sh in each, and the configuration of
# docker/kubernetes/sidecar.yaml. Skipped where namespaces or iptables cannot be had (it needs root).
#   sidecar_test.sh BUILD_FOLDER
set -euo pipefail
weir=$(readlink -f "$1")/weir
skip() { echo "skipped: $*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root"
[ -x "$weir" ] || skip "there is no $weir"
for tool in ip unshare nsenter iptables curl python3 setpriv; do command -v $tool >/dev/null || skip "needs $tool"; done
unshare -n iptables -t nat -L -n >/dev/null 2>&1 || skip "iptables does not work in a network namespace here"

work=$(mktemp -d)
chmod 755 "$work"
pids=()
cleanup() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT
fail() {
  echo "FAILED: $*"
  for log in "$work"/*.log; do echo "--- $log"; tail -15 "$log"; done
  exit 1
}
wait_for_line() {  # FILE PATTERN
  local tries=0
  until grep -q "$2" "$1" 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -lt 400 ] || fail "no \"$2\" in $1"
    read -r -t 0.05 <> <(:) || true
  done
}

# What other users than root can run.
python=$(PATH=/usr/bin:/bin:$PATH command -v python3)
cp "$weir" "$work/weir"
weir=$work/weir

# Each pod is held by a process that waits; it has a network and a mount namespace of its own (for /etc/hosts).
pod() {
  unshare -n -m -- bash -c 'echo ready; exec sleep infinity' >"$work/$1.ready" &
  pids+=($!)
  printf -v "$1" %s "$!"
  wait_for_line "$work/$1.ready" ready
}
in_pod() { local target=$1; shift; nsenter -n -m -t "${!target}" -- "$@"; }
# Runs in a subshell, which becomes the program: its pid is the one to kill.
as_user() { local target=$1 uid=$2; shift 2; exec nsenter -n -m -t "${!target}" -- setpriv --reuid="$uid" --regid="$uid" --clear-groups "$@"; }
pod client
pod server
ip link add weir-test-c netns "$client" type veth peer name weir-test-s netns "$server" 2>/dev/null || skip "no veth devices here"
in_pod client ip addr add 10.111.0.1/24 dev weir-test-c
in_pod client ip link set weir-test-c up
in_pod server ip addr add 10.111.0.2/24 dev weir-test-s
in_pod server ip link set weir-test-s up
printf '127.0.0.1 localhost\n10.111.0.2 web.default.svc.cluster.local web\n' >"$work/hosts"
for each in client server; do
  in_pod $each ip link set lo up
  in_pod $each mount --bind "$work/hosts" /etc/hosts
  in_pod $each "$PWD/docker/redirect.sh" >"$work/redirect-$each.log" 2>&1 || fail "docker/redirect.sh"
done

tools/make_certs "$work/tls" spiffe://cluster.local/ns/default/sa/web >/dev/null
cp "$work/tls/web.crt" "$work/tls/tls.crt"
cp "$work/tls/web.key" "$work/tls/tls.key"
chmod -R a+rX "$work/tls"
awk '/^  weir.yaml: \|$/ {on = 1; next} /^---$/ {on = 0} on {sub(/^    /, ""); print}' docker/kubernetes/sidecar.yaml |
  sed "s|/etc/weir/tls/|$work/tls/|" >"$work/weir.yaml"

# The application: tells what it was asked, on 127.0.0.1 as a pod's application does.
cat >"$work/app.py" <<'PY'
import http.server, socketserver, threading
class App(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = ("APP\n" + str(self.headers)).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
class Raw(socketserver.StreamRequestHandler):  # a second port, which speaks first
    def handle(self):
        self.wfile.write(b"welcome\n" + self.rfile.readline())
socketserver.ThreadingTCPServer.daemon_threads = True
raw = socketserver.ThreadingTCPServer(("0.0.0.0", 9000), Raw)
threading.Thread(target=raw.serve_forever, daemon=True).start()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 8080), App)
print("ready", flush=True)
server.serve_forever()
PY
as_user server 1000 "$python" "$work/app.py" >"$work/app.out" 2>"$work/app.log" & pids+=($!)
wait_for_line "$work/app.out" ready
for each in client server; do
  as_user $each 65532 "$weir" -c "$work/weir.yaml" --concurrency 1 --drain-time-s 0 >"$work/weir-$each.log" 2>&1 & pids+=($!)
  wait_for_line "$work/weir-$each.log" 'generation 1 serving'
done

# Through both sidecars: plain from the application's view, TLS with both certificates on the wire.
answer=$(as_user client 1000 curl -sS -m 10 http://web:8080/) || fail "curl through both sidecars"
grep -q '^APP' <<<"$answer" || fail "the application did not answer: $answer"
grep -qi 'x-forwarded-client-cert:.*URI=spiffe://cluster.local/ns/default/sa/web' <<<"$answer" || fail "no client certificate: $answer"
echo "mutual TLS between two sidecars: ok"

# From outside the mesh: user 65532 is not redirected on its way out, so its plain HTTP meets the server's sidecar alone.
answer=$(as_user client 65532 curl -sS -m 10 http://10.111.0.2:8080/) || fail "plain HTTP to a sidecar"
grep -q '^APP' <<<"$answer" || fail "plain HTTP: $answer"
! grep -qi 'x-forwarded-client-cert' <<<"$answer" || fail "a client certificate from nowhere: $answer"
echo "plain HTTP into a sidecar: ok"

# Another protocol on another port: passed on to the original address on both sides.
answer=$(as_user client 1000 "$python" - <<'PY'
import socket
s = socket.create_connection(("10.111.0.2", 9000), 10)
s.sendall(b"\x00\x01 no http\n")
s.shutdown(socket.SHUT_WR)
data = b""
while part := s.recv(4096):
    data += part
print(data.decode(errors="replace"))
PY
) || fail "raw TCP"
grep -q 'no http' <<<"$answer" || fail "raw TCP gave: $answer"
echo "TCP by its original destination: ok"
[ "$(as_user client 65532 curl -sS -m 5 -o /dev/null -w '%{http_code}' http://10.111.0.2:15021/healthz/ready)" = 200 ] || fail "the probe's port"
echo passed
