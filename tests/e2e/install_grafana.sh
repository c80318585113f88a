#!/usr/bin/env bash
# Installs Grafana's own types and panels from npm, in .e2e/grafana: the dashboards are checked against the first and
# drawn with the second. Where it cannot, it says so loudly; the tests that need them are then skipped, unless CI is set.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

place=.e2e/grafana
mkdir -p "$place"
cp -R grafana/preview/. "$place/"
if [ -e "$place/.installed" ] && cmp -s grafana/preview/package-lock.json "$place/.installed"; then
  exit 0
fi

give_up() {
  printf '\n!!! NOT INSTALLED: Grafana'\''s panels from npm. %s\n' "$1" >&2
  if [ -n "${CI:-}" ]; then
    printf '!!! CI is set, so this is a failure.\n\n' >&2
    exit 1
  fi
  printf '!!! The tests that need them are skipped.\n\n' >&2
  exit 0
}

for command in node npm; do
  command -v "$command" >/dev/null || give_up "Node.js 20 or newer and npm are needed."
done
echo "Installing Grafana's panels from npm ..."
(cd "$place" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null) || give_up "npm failed."
cp grafana/preview/package-lock.json "$place/.installed"
