#!/usr/bin/env bash
# Installs what the end-to-end tests talk to: Prometheus with promtool, Alertmanager with amtool, node_exporter, a
# browser; what they check with: shellcheck, systemd-analyze, openssl, LibreOffice; what they do harm with: iptables,
# faketime.
# Where it cannot, it says so loudly; the tests that need them are then skipped, unless CI is set: then it is a failure.
set -euo pipefail

missing=()
packages=(prometheus prometheus-alertmanager prometheus-node-exporter chromium iptables faketime
  shellcheck systemd openssl libreoffice-calc-nogui)
for command in prometheus promtool prometheus-alertmanager amtool prometheus-node-exporter chromium iptables faketime \
  shellcheck systemd-analyze openssl soffice; do
  command -v "$command" >/dev/null || missing+=("$command")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

give_up() {
  printf '\n!!! NOT INSTALLED: %s. %s\n' "${missing[*]}" "$1" >&2
  if [ -n "${CI:-}" ]; then
    printf '!!! CI is set, so this is a failure.\n\n' >&2
    exit 1
  fi
  printf '!!! The tests that need them are skipped.\n\n' >&2
  exit 0
}

[ -e /etc/debian_version ] || give_up "Only Debian's packages are known here; install them by hand."
[ "$(id -u)" -eq 0 ] || give_up "Run this as root, or: sudo apt-get install ${packages[*]}"

# The tests start their own servers: what comes with the package must not begin to run on this machine.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
fi

echo "Installing ${missing[*]} ..."
install_packages() {
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends -qq "${packages[@]}" >/dev/null
}
install_packages 2>/dev/null || { apt-get update -qq && install_packages; } || give_up "apt-get failed."
