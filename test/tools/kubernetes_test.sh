#!/usr/bin/env bash
# The manifests of docker/kubernetes: their embedded configurations are valid, and the edge's one serves. Paths of the pod and ports
# are replaced by those of this machine.
#   kubernetes_test.sh BUILD_FOLDER
set -euo pipefail
weir=$1/weir
[ -x "$weir" ] || { echo "skipped: there is no $weir"; exit 77; }
work=$(mktemp -d)
pids=()
cleanup() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT
fail() { echo "FAILED: $*"; [ ! -s "$work/weir.log" ] || tail -20 "$work/weir.log"; exit 1; }

# embedded MANIFEST: the configuration in its ConfigMap.
embedded() { awk '/^  weir.yaml: \|$/ {on = 1; next} /^---$/ {on = 0} on {sub(/^    /, ""); print}' "$1"; }

tools/make_certs "$work/tls" web.default.svc.cluster.local >/dev/null
cp "$work/tls/web.default.svc.cluster.local.crt" "$work/tls/tls.crt"
cp "$work/tls/web.default.svc.cluster.local.key" "$work/tls/tls.key"

for manifest in docker/kubernetes/*.yaml; do
  name=$(basename "$manifest" .yaml)
  embedded "$manifest" >"$work/$name.embedded"
  sed "s|/etc/weir/tls/|$work/tls/|; s|filters/out/|$PWD/filters/out/|" "$work/$name.embedded" >"$work/$name.yaml"
  [ -s "$work/$name.yaml" ] || fail "$manifest has no configuration"
  "$weir" --mode validate -c "$work/$name.yaml" >"$work/validate.log" 2>&1 || { cat "$work/validate.log"; fail "the configuration of $manifest"; }
  # What the manifest mounts is what the configuration names.
  for folder in $(grep -o '/etc/weir/[a-z]*' "$work/$name.embedded" | sort -u); do
    grep -q "mountPath: $folder," "$manifest" || fail "$manifest mounts nothing at $folder"
  done
  for port in $(grep -o 'containerPort: [0-9]*\|, port: 15021' "$manifest" | grep -o '[0-9]*$'); do
    grep -q "port_value: $port " "$work/$name.embedded" || fail "$manifest names port $port, on which nothing listens"
  done
done
# The sidecar's rules and its listeners go together.
for port in 15001 15006; do
  grep -q ":-$port}" docker/redirect.sh || fail "docker/redirect.sh does not send anything to $port"
  grep -q "port_value: $port " "$work/sidecar.embedded" || fail "the sidecar does not listen on $port"
done

# The edge, with the application it stands for.
cat >"$work/app.py" <<'PY'
import http.server, sys
class App(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = str(self.headers).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), App)
print(server.server_address[1], flush=True)
server.serve_forever()
PY
wait_for_line() {  # FILE PATTERN
  local tries=0
  until grep -q "$2" "$1" 2>/dev/null; do
    tries=$((tries + 1))
    [ $tries -lt 600 ] || fail "no \"$2\" in $1"
    read -r -t 0.05 <> <(:) || true
  done
}
python3 "$work/app.py" >"$work/app.port" & pids+=($!)
wait_for_line "$work/app.port" '[0-9]'
app=$(cat "$work/app.port")
sed -E "s/0\.0\.0\.0/127.0.0.1/; s/port_value: (9901|15021|8080|8443) /port_value: 0 /; s/address: web.default.svc.cluster.local, port_value: 80 /address: 127.0.0.1, port_value: $app /" \
  "$work/edge.yaml" >"$work/run.yaml"
"$weir" -c "$work/run.yaml" --drain-time-s 0 --admin-address-path "$work/admin" >"$work/weir.log" 2>&1 & pids+=($!)
wait_for_line "$work/weir.log" 'generation 1 serving'
listeners=$(curl -sS "http://$(cat "$work/admin")/listeners")
port_of() { sed -n "s/^$1::.*:\([0-9]*\)$/\1/p" <<<"$listeners"; }
[ "$(curl -sS -o /dev/null -w '%{http_code}' "http://127.0.0.1:$(port_of health)/healthz/ready")" = 200 ] || fail "the readiness probe"
[ "$(curl -sS -o /dev/null -w '%{http_code}' "http://127.0.0.1:$(port_of http)/x")" = 301 ] || fail "the redirect to https"
https=$(port_of https)
for version in --http1.1 --http2; do
  answer=$(curl -sS $version -w '%{http_version}' --cacert "$work/tls/ca.crt" --connect-to "web.default.svc.cluster.local:443:127.0.0.1:$https" \
    https://web.default.svc.cluster.local/) || fail "curl $version"
  grep -qi '^x-forwarded-proto: https' <<<"$answer" || fail "curl $version gave: $answer"
done
tail -1 <<<"$answer" | grep -q '2$' || fail "curl --http2 did not get HTTP/2"
echo passed
