#!/bin/sh
# Sends a pod's TCP traffic through the weir beside it: what comes in to one port, what goes out to another. Runs once, as root with
# NET_ADMIN, in the pod's network namespace (an init container). Running it again replaces its rules; `redirect.sh off` removes them.
#
# Environment: WEIR_UID (65532), INBOUND_PORT (15006), OUTBOUND_PORT (15001), and lists with commas:
#   EXCLUDE_INBOUND_PORTS (15021), EXCLUDE_OUTBOUND_PORTS, EXCLUDE_OUTBOUND_CIDRS (addresses of either family)
set -eu
uid=${WEIR_UID:-65532}
inbound=${INBOUND_PORT:-15006}
outbound=${OUTBOUND_PORT:-15001}
skip_in=${EXCLUDE_INBOUND_PORTS-15021}
skip_out=${EXCLUDE_OUTBOUND_PORTS-}
skip_cidrs=${EXCLUDE_OUTBOUND_CIDRS-}

items() { echo "$1" | tr ',' ' '; }

remove() {
  "$1" -w -t nat -D PREROUTING -p tcp -j WEIR_INBOUND 2>/dev/null || true
  "$1" -w -t nat -D OUTPUT -p tcp -j WEIR_OUTBOUND 2>/dev/null || true
  for chain in WEIR_INBOUND WEIR_OUTBOUND; do
    "$1" -w -t nat -F $chain 2>/dev/null || true
    "$1" -w -t nat -X $chain 2>/dev/null || true
  done
}

# redirect IPTABLES LOOPBACK FAMILY_MARK: FAMILY_MARK is what an address of this family has in it.
redirect() {
  ipt=$1
  remove "$ipt"
  $ipt -w -t nat -N WEIR_INBOUND
  for port in $(items "$skip_in"); do $ipt -w -t nat -A WEIR_INBOUND -p tcp --dport "$port" -j RETURN; done
  $ipt -w -t nat -A WEIR_INBOUND -p tcp -j REDIRECT --to-ports "$inbound"
  $ipt -w -t nat -A PREROUTING -p tcp -j WEIR_INBOUND

  $ipt -w -t nat -N WEIR_OUTBOUND
  # weir's own connections, and those that do not leave the pod.
  $ipt -w -t nat -A WEIR_OUTBOUND -m owner --uid-owner "$uid" -j RETURN
  $ipt -w -t nat -A WEIR_OUTBOUND -o lo -j RETURN
  $ipt -w -t nat -A WEIR_OUTBOUND -d "$2" -j RETURN
  for port in $(items "$skip_out"); do $ipt -w -t nat -A WEIR_OUTBOUND -p tcp --dport "$port" -j RETURN; done
  for cidr in $(items "$skip_cidrs"); do
    case $cidr in *"$3"*) $ipt -w -t nat -A WEIR_OUTBOUND -d "$cidr" -j RETURN ;; esac
  done
  $ipt -w -t nat -A WEIR_OUTBOUND -p tcp -j REDIRECT --to-ports "$outbound"
  $ipt -w -t nat -A OUTPUT -p tcp -j WEIR_OUTBOUND
}

command -v iptables >/dev/null || { echo "redirect.sh: there is no iptables here" >&2; exit 1; }
if [ "${1:-}" = off ]; then
  remove iptables
  ! command -v ip6tables >/dev/null || remove ip6tables
  exit 0
fi
redirect iptables 127.0.0.0/8 .
# Without IPv6 in the kernel there is nothing to redirect there.
if [ -e /proc/net/if_inet6 ] && command -v ip6tables >/dev/null && ip6tables -w -t nat -L -n >/dev/null 2>&1; then
  redirect ip6tables ::1/128 :
fi
echo "redirect.sh: inbound TCP to port $inbound, outbound TCP to port $outbound, but for user $uid"
