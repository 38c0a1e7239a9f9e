# SPDX-License-Identifier: MIT
# Shared by deploy/quickstart and tests/run: packages and the Docker Engine. Source it; needs $root.

say() { printf '%s\n' "$*"; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# need_packages KIND...: install what is missing of these kinds in deploy/packages.
need_packages() {
    missing=""
    for p in $(for kind in "$@"; do awk -v k="$kind" '$1 == k { print $2 }' "$root/deploy/packages"; done); do
        [ "$p" != nodejs ] || ! command -v node >/dev/null || continue
        dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || missing="$missing $p"
    done
    [ -n "$missing" ] || return 0
    [ "$(id -u)" = 0 ] || die "these packages are missing and only root can install them:$missing"
    say "installing Debian packages:$missing"
    # A service that Debian's packages start by themselves would take ports that are not theirs here.
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d.deis
    chmod +x /usr/sbin/policy-rc.d.deis
    [ -e /usr/sbin/policy-rc.d ] || mv /usr/sbin/policy-rc.d.deis /usr/sbin/policy-rc.d
    log=$(mktemp)
    # shellcheck disable=SC2086
    if { apt-get update -q && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends $missing; } >"$log" 2>&1; then
        ok=1
    else
        ok=0
    fi
    if [ -e /usr/sbin/policy-rc.d.deis ]; then
        rm -f /usr/sbin/policy-rc.d.deis
    else
        rm -f /usr/sbin/policy-rc.d
    fi
    [ "$ok" = 1 ] || {
        tail -n 20 "$log" >&2
        rm -f "$log"
        die "apt-get could not install the packages"
    }
    rm -f "$log"
}

docker_answers() { curl -sf -m 5 --unix-socket /var/run/docker.sock http://docker/_ping >/dev/null 2>&1; }

# start_docker DIR: start the Docker Engine if none answers. One that we start leaves its pid in DIR/dockerd.pid.
start_docker() {
    docker_answers && return 0
    command -v dockerd >/dev/null || die "no Docker Engine answers on /var/run/docker.sock and dockerd is not installed"
    if [ -d /run/systemd/system ]; then
        systemctl start docker || die "systemctl could not start the Docker Engine"
    else
        mkdir -p "$1"
        setsid dockerd </dev/null >"$1/dockerd.log" 2>&1 &
        echo $! >"$1/dockerd.pid"
    fi
    tries=0
    until docker_answers; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || {
            tail -n 5 "$1/dockerd.log" >&2 2>/dev/null || true
            die "the Docker Engine did not answer within 60 s"
        }
        sleep 0.2
    done
}

# stop_docker DIR: stop the Engine that start_docker started, if it did.
stop_docker() {
    [ -e "$1/dockerd.pid" ] || return 0
    pid=$(cat "$1/dockerd.pid")
    if [ -r "/proc/$pid/comm" ] && [ "$(cat "/proc/$pid/comm")" = dockerd ]; then
        kill "$pid"
        tries=0
        while [ -e "/proc/$pid" ] && [ "$tries" -lt 100 ]; do
            sleep 0.2
            tries=$((tries + 1))
        done
    fi
    rm -f "$1/dockerd.pid" "$1/dockerd.log"
}
