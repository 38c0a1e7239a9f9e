# SPDX-License-Identifier: MIT
# Helpers of the acceptance test. Source it; needs bash, $root, $work.

ok() { printf 'ok - %s\n' "$*"; }
not_ok() { printf 'not ok - %s\n' "$*"; }
skip() { printf 'skip - %s\n' "$*"; }
note() { printf '# %s\n' "$*"; }

# check DESCRIPTION COMMAND...: one result; on failure the command's output is shown.
check() {
    local what=$1 out
    shift
    if out=$("$@" 2>&1); then
        ok "$what"
    else
        not_ok "$what"
        printf '%s\n' "$out" | tail -n 15 | sed 's/^/#   /'
        return 1
    fi
}

now_ms() { date +%s%3N; }

# until_true SECONDS COMMAND...: poll until it succeeds or the time is over; then its last output is shown.
until_true() {
    local end=$(($(now_ms) + $1 * 1000)) out
    shift
    until out=$("$@" 2>&1); do
        [ "$(now_ms)" -lt "$end" ] || { printf '%s\n' "$out"; return 1; }
        sleep 0.1
    done
}

# What happens by itself is awaited for so long: a busy machine may take it, what is broken fails a little later.
patience=60
eventually() { until_true "$patience" "$@"; }

lacks() { case $1 in *"$2"*) printf '%s\n--- contains: %s\n' "$1" "$2"; return 1 ;; esac; }
contains() { case $1 in *"$2"*) return 0 ;; *) printf '%s\n--- does not contain: %s\n' "$1" "$2"; return 1 ;; esac; }

# run_with TEXT COMMAND...: it must succeed and its output contain TEXT.
run_with() {
    local text=$1 out
    shift
    out=$("$@" 2>&1) || { printf '%s\n--- status %s\n' "$out" $?; return 1; }
    contains "$out" "$text"
}

# fail_with TEXT COMMAND...: it must fail and its output contain TEXT.
fail_with() {
    local text=$1 out
    shift
    if out=$("$@" 2>&1); then
        printf '%s\n--- succeeded\n' "$out"
        return 1
    fi
    contains "$out" "$text"
}

get() { curl -s -m 60 -H "Host: $1.$domain" "http://127.0.0.1:$http_port${2:-/}"; }
status_of() { curl -s -m 60 -o /dev/null -w '%{http_code}' -H "Host: $1.$domain" "http://127.0.0.1:$http_port${2:-/}"; }
release_of() { get "$1" | sed -n 's/^release: //p'; }
shows() { contains "$(get "$1")" "$2"; } # APP TEXT
has_status() { local got; got=$(status_of "$2"); [ "$got" = "$1" ] || { echo "status $got, not $1"; return 1; }; }

# --- open-loop load in the background ---
load_start() { # APP RATE NAME
    "$openloop" --address "127.0.0.1:$http_port" --host "$1.$domain" --rate "$2" >"$work/load.$3.json" &
    load_pid=$!
    load_name=$3
}
load_stop() { # DESCRIPTION: zero requests may have failed
    kill -TERM "$load_pid" 2>/dev/null
    wait "$load_pid"
    local file=$work/load.$load_name.json
    note "$load_name: $(jq -c '{sent,ok,failed,retried,p50_ms,p99_ms,max_ms}' "$file")"
    check "$1" jq -e 'if .failed == 0 and .sent > 0 then true else (.failures | tostring | halt_error) end' "$file"
}

# --- what a machine looks like from outside: compared before and after ---
footprint() {
    echo "containers: $(docker ps -aq | sort | tr '\n' ' ')"
    echo "networks: $(docker network ls -q | sort | tr '\n' ' ')"
    echo "volumes: $(docker volume ls -q | sort | tr '\n' ' ')"
    echo "images: $(docker images -q --filter label=deis.platform | sort | tr '\n' ' ')$(docker images -q --filter label=deis.app | sort | tr '\n' ' ')"
    # The Engine's own mount comes with its first container on the host's network and goes with the Engine.
    echo "mounts: $(grep -cv ' /run/docker/netns/default ' /proc/self/mounts)"
    echo "namespaces: $(ip netns list 2>/dev/null | wc -l)"
    echo "hosts: $(md5sum </etc/hosts)"
}

# Programs of this source tree and of the platform's containers, and what serves the tests.
processes() {
    local p exe
    for p in /proc/[0-9]*; do
        exe=$(readlink "$p/exe")
        case "$exe $(tr '\0' ' ' <"$p/cmdline")" in
        "$root"/build/* | /usr/bin/deis-* | /usr/bin/etcd\ *--name\ quickstart* | *pebble*\ *"$work"*) echo "${p#/proc/} $exe" ;;
        esac
    done 2>/dev/null | sort
}

# What watch_processes saw of all that ran, in FOLDER.
watch_start() { "$root/tests/e2e/watch_processes" "$1" & watcher=$!; } # FOLDER
watch_stop() { # FOLDER
    : >"$1/stop"
    wait "$watcher"
}
# was_hidden FOLDER TEXT: it was on no command line.
was_hidden() {
    grep -q deis-controller "$1/processes" || { echo "nothing was seen"; return 1; }
    [ -n "$2" ] || { echo "nothing to look for"; return 1; }
    ! grep -F -e "$2" "$1/processes"
}

# none_more BEFORE AFTER: every line of AFTER stands in BEFORE; those that do not are shown.
none_more() {
    local more
    more=$(comm -13 "$1" "$2")
    [ -z "$more" ] || { printf '%s\n' "$more"; return 1; }
}
