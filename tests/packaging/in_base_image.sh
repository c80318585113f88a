#!/usr/bin/env bash
# Runs pytest with these arguments on the Python of the base image, which this machine may lack: in a change of root, as
# root. Prints the version first. The image's files are unpacked in build/base-image, and the tree is copied into it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
root=$PWD/build/base-image

rm -rf --one-file-system "$root"
mkdir -p "$root"
tar -xf .e2e/base-image.tar -C "$root" --exclude=./dev
mkdir -p "$root/dev" "$root/proc" "$root/source"
git ls-files -z | tar -c --null -T - | tar -x -C "$root/source"
cp /etc/resolv.conf "$root/etc/"

cat >"$root/run-tests" <<'SCRIPT'
set -eu
cd /source
python3 --version
python3 -m venv /venv
/venv/bin/python -m pip --quiet install --require-hashes -r requirements-dev.lock
/venv/bin/python -m pip --quiet install --no-deps --no-build-isolation --editable .
exec /venv/bin/python -m pytest -n 2 "$@"
SCRIPT

index=$(python3 -m pip config get global.index-url 2>/dev/null || true)
variables=(PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 PIP_DISABLE_PIP_VERSION_CHECK=1
  PIP_CERT=/etc/ssl/certs/ca-certificates.crt ${index:+PIP_INDEX_URL="$index"})
# The mounts are seen by this one process, and end with it.
# shellcheck disable=SC2016 # the inner shell's variable
exec unshare --mount env -i "${variables[@]}" ROOT="$root" sh -euc '
  mount --rbind /dev "$ROOT/dev"
  mount -t proc proc "$ROOT/proc"
  exec chroot "$ROOT" sh /run-tests "$@"' sh "$@"
