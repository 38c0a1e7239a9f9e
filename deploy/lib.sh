# SPDX-License-Identifier: MIT
# Shared by deploy/quickstart and tests/run: packages and the Docker Engine. Source it; needs $root.

say() { printf '%s\n' "$*"; }
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# All that is asked for is on this machine: a proxy for the world outside has no part in it.
curl() { command curl --noproxy '*' "$@"; }

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
    log=$(mktemp)
    # shellcheck disable=SC2086
    install_quietly $missing >"$log" 2>&1 || {
        tail -n 20 "$log" >&2
        rm -f "$log"
        die "apt-get could not install the packages"
    }
    rm -f "$log"
}

# install_quietly PACKAGE...: a service that Debian's packages start by themselves would take ports that are not theirs
# here. Debian asks policy-rc.d; ours goes whatever happens, also that of a run that was killed.
install_quietly() (
    policy=/usr/sbin/policy-rc.d
    ! grep -qs '^# of deis' "$policy" || rm -f "$policy"
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        trap 'exit 130' INT TERM
        printf '#!/bin/sh\n# of deis, while it installs packages\nexit 101\n' >"$policy"
        chmod +x "$policy"
    fi
    apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
)

docker_answers() { curl -sf -m 5 --unix-socket /var/run/docker.sock http://docker/_ping >/dev/null 2>&1; }

# start_docker DIR: start the Docker Engine if none answers. One that we start leaves its pid in DIR/dockerd.pid.
start_docker() {
    docker_answers && return 0
    command -v dockerd >/dev/null || die "no Docker Engine answers on /var/run/docker.sock and dockerd is not installed"
    if [ -d /run/systemd/system ]; then
        systemctl start docker || die "systemctl could not start the Docker Engine"
    else
        mkdir -p "$1"
        [ -d "$1/network" ] || note_network "$1/network" # else an Engine of ours ended without being asked to
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

# note_network FOLDER: what is there of all that an Engine makes in the network and leaves there when it ends.
note_network() {
    rm -rf "$1.new"
    mkdir -p "$1.new"
    ! grep -q ' /run/docker/netns/default ' /proc/self/mounts || : >"$1.new/mount"
    ! ip link show docker0 >/dev/null 2>&1 || : >"$1.new/docker0"
    cat /proc/sys/net/ipv4/ip_forward >"$1.new/ip_forward"
    for tool in iptables ip6tables; do
        ! command -v "$tool-save" >/dev/null || "$tool-save" >"$1.new/$tool" 2>/dev/null || true
    done
    mv "$1.new" "$1"
}

# forget_rules TOOL BEFORE: remove the Engine's chains, and the rules that name them or its bridge; its policy too.
forget_rules() {
    ! grep -q '^:DOCKER' "$2" || return 0 # an earlier Engine's
    "$1-save" 2>/dev/null | awk '
        /^[*]/ { print }
        /^:DOCKER/ { flush = flush "-F " substr($1, 2) "\n"; gone = gone "-X " substr($1, 2) "\n" }
        /^-A / && / DOCKER|docker0/ { sub(/^-A/, "-D"); print }
        /^COMMIT/ { printf "%s%s", flush, gone; print; flush = gone = "" }' >"$2.undo"
    # Rules first, then chains: those that are left in a chain go with it.
    grep -v '^-D DOCKER' "$2.undo" | "$1-restore" -n || say "warning: $1: the Docker Engine's rules are still there"
    grep -q '^:FORWARD DROP' "$2" || "$1" -P FORWARD ACCEPT 2>/dev/null || true
}

# restore_network FOLDER: remove what has come since note_network.
restore_network() {
    [ -d "$1" ] || return 0
    if [ ! -e "$1/mount" ] && grep -q ' /run/docker/netns/default ' /proc/self/mounts; then
        umount /run/docker/netns/default && rm -f /run/docker/netns/default
    fi
    [ -e "$1/docker0" ] || ! ip link show docker0 >/dev/null 2>&1 || ip link delete docker0
    for tool in iptables ip6tables; do
        [ ! -e "$1/$tool" ] || forget_rules "$tool" "$1/$tool"
    done
    [ "$(cat "$1/ip_forward")" = 1 ] || echo 0 >/proc/sys/net/ipv4/ip_forward
    rm -rf "$1"
}

# stop_docker DIR: stop the Engine that start_docker started, if it did; what it made in the network goes with it.
stop_docker() {
    [ -e "$1/dockerd.pid" ] || return 0
    pid=$(cat "$1/dockerd.pid")
    if [ -r "/proc/$pid/comm" ] && [ "$(cat "/proc/$pid/comm")" = dockerd ]; then
        kill "$pid"
        tries=0
        while [ -e "/proc/$pid" ] && [ "$tries" -lt 300 ]; do
            sleep 0.2
            tries=$((tries + 1))
        done
    fi
    rm -f "$1/dockerd.pid" "$1/dockerd.log"
    [ -e "/proc/$pid" ] || restore_network "$1/network"
}
