#!/usr/bin/env bash
# Unpacks Prometheus 3 out of Debian's testing into .e2e/prometheus3, so that the rules are tested with it as well: it runs
# on Debian 12 as it is. An extra: where it cannot be had, this says so loudly, and the tests that need it are skipped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
target=.e2e/prometheus3
[ -x "$target/promtool" ] && exit 0

give_up() {
  printf '\n!!! NOT INSTALLED: Prometheus 3. %s The rules are not tested with it.\n\n' "$1" >&2
  exit 0
}

[ -e /etc/debian_version ] || give_up "Only Debian's packages are known here."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache"
# shellcheck disable=SC2016 # apt's variable, not the shell's
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' \
  "Codename: $(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)" | head -n 1)
[ -n "$mirror" ] || give_up "apt knows of no mirror."
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror testing main" >"$work/sources.list"
apt=(apt-get -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null
  -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update || give_up "The list of packages could not be read."
(cd "$work" && "${apt[@]}" download prometheus promtool) || give_up "The packages could not be downloaded."
for package in "$work"/*.deb; do dpkg -x "$package" "$work/unpacked"; done
mkdir -p "$target"
cp "$work/unpacked/usr/bin/prometheus" "$work/unpacked/usr/bin/promtool" "$target/"
"$target/promtool" --version >/dev/null || { rm -rf "$target"; give_up "It does not run here."; }
