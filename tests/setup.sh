#!/bin/bash
# setup.sh [PACKAGE…]: what `make demo` and `make test` need on Debian 12, and these. Does only what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '==> %s\n' "$*" >&2; }
fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

mkdir -p build
exec 9>build/setup.lock
flock -w 900 9 || fail "another set-up has been running here for 15 minutes"

python=${PYTHON:-python3}
wanted=(openvswitch-switch iproute2 ethtool iputils-ping udhcpc tcpdump "$@")
"$python" -c 'import ensurepip, venv' 2>/dev/null || wanted+=(python3 python3-venv)

missing=()
for package in "${wanted[@]}"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
if ((${#missing[@]})); then
    [ "$(id -u)" = 0 ] || fail "these Debian packages are missing, and only root can install them: ${missing[*]}"
    say "Debian packages: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    log=build/apt.log
    apt-get -qq update >"$log" 2>&1 </dev/null || fail "apt-get update failed: $(tail -n 5 "$log")"
    apt-get -qq install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1 </dev/null ||
        fail "apt-get install failed: $(tail -n 10 "$log")"
fi

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version) is too old: 3.11 or newer is needed; name one with PYTHON=… make …"

state=$(cat requirements.lock pyproject.toml | sha256sum)
if [ ! -x .venv/bin/python ] || [ "$(cat .venv/.ready 2>/dev/null)" != "$state" ]; then
    say "Python packages into .venv (a minute or two the first time)"
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    pip=(.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input)
    "${pip[@]}" --require-hashes -r requirements.lock || fail "the packages of requirements.lock could not be installed"
    "${pip[@]}" --no-deps -e . || fail "the project itself could not be installed into .venv"
    printf '%s' "$state" >.venv/.ready
fi
