#!/usr/bin/env bash
# Installs what the benchmarks compare with: libraries into an environment of their own, Prometheus and nginx as Debian's
# packages. What cannot be installed is said loudly and left out of the comparison. With --quick nothing is installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for argument in "$@"; do
  [ "$argument" != --quick ] || exit 0
done

venv=build/venv-benchmarks
if ! [ -e "$venv/.installed" ] || [ benchmarks/requirements.txt -nt "$venv/.installed" ]; then
  echo "Installing the libraries of benchmarks/requirements.txt ..."
  if "${PY:-.venv/bin/python}" -m venv --clear "$venv" &&
    "$venv/bin/python" -m pip --disable-pip-version-check --quiet install --require-hashes -r benchmarks/requirements.txt; then
    touch "$venv/.installed"
  else
    rm -rf "$venv"
    printf '\n!!! NOT INSTALLED: the libraries of benchmarks/requirements.txt.\n\n' >&2
  fi
fi

missing=()
for command in prometheus nginx; do
  PATH="$PATH:/usr/sbin" command -v "$command" >/dev/null || missing+=("${command/nginx/nginx-light}")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

# The benchmarks start their own servers: what comes with the packages must not begin to run on this machine.
policy=/usr/sbin/policy-rc.d
install_packages() {
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends -qq "${missing[@]}" >/dev/null
}
if [ -e /etc/debian_version ] && [ "$(id -u)" -eq 0 ]; then
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  fi
  echo "Installing ${missing[*]} ..."
  install_packages 2>/dev/null || { apt-get update -qq && install_packages; } && exit 0
fi
printf '\n!!! NOT INSTALLED: %s. Install them as root with apt-get.\n\n' "${missing[*]}" >&2
