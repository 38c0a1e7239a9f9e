# SPDX-License-Identifier: MIT
# Results, waiting and clients. Source it; needs bash, $work.

failures=0
ok() { printf 'ok - %s\n' "$*"; }
not_ok() {
    printf 'not ok - %s\n' "$*"
    failures=$((failures + 1))
}
note() { printf '# %s\n' "$*"; }
now_ms() { date +%s%3N; }

# check DESCRIPTION COMMAND...: one result; on failure the command's output is shown.
check() {
    local what=$1 out
    shift
    if out=$("$@" 2>&1); then
        ok "$what"
    else
        not_ok "$what"
        printf '%s\n' "$out" | tail -n 20 | sed 's/^/#   /'
        return 1
    fi
}

# until_true SECONDS COMMAND...: poll until it succeeds; its last output is printed when the time is over.
until_true() {
    local end=$(($(now_ms) + $1 * 1000)) out
    shift
    until out=$("$@" 2>&1); do
        if [ "$(now_ms)" -ge "$end" ]; then
            printf '%s\n' "$out"
            return 1
        fi
        sleep 0.1
    done
}

has() { # TEXT FILE: the file contains TEXT
    grep -qF -- "$1" "$2" || {
        echo "no '$1' in:"
        tail -n 15 "$2"
        return 1
    }
}

random() { # N: 0 .. N-1, from a generator that CHAOS_SEED starts
    printf '%s' $((RANDOM % $1))
}
nap() { sleep "$(awk -v ms="$1" 'BEGIN { printf "%.3f", ms / 1000 }')"; }

# --- apps ---

api() { # METHOD PATH [CURL OPTION...]: body, then a line with the status
    local method=$1 path=$2
    shift 2
    curl -s -m 60 -X "$method" -H "Authorization: token $token" -H 'Content-Type: application/json' \
        -w '\n%{http_code}\n' "$@" "$api_url/v1$path"
}
api_get() { curl -sf -m 10 -H "Authorization: token $token" "$api_url/v1$1"; }

get() { curl -s -m 10 -H "Host: $1.$domain" "http://127.0.0.1:$http_port${2:-/}"; }
status_of() { curl -s -m 10 -o /dev/null -w '%{http_code}' -H "Host: $1.$domain" "http://127.0.0.1:$http_port${2:-/}"; }
release_of() { get "$1" | sed -n 's/^release: //p'; }
serves() { # APP RELEASE
    local got
    got=$(release_of "$1")
    [ "$got" = "$2" ] || { echo "$1 serves '$got', not $2"; return 1; }
}
latest() { api_get "/apps/$1/releases/?page_size=1" | jq -r '.results[0].version'; }
in_app() { (cd "$work/apps/$1" && shift && "$@"); }

# new_app NAME [TIMEOUT]: app and repository with the example; no push yet.
new_app() {
    local dir=$work/apps/$1
    mkdir -p "$work/apps"
    cp -R "$root/examples/web" "$dir"
    printf 'FROM %s\nCOPY . /app\nEXPOSE 5000\nCMD ["/app/start"]\n' "$base_image" >"$dir/Dockerfile"
    cat >"$dir/start" <<'TXT'
#!/bin/sh
exec pageserver "${PORT:-5000}" "app: $DEIS_APP
release: ${DEIS_RELEASE:-none}
host: $(hostname)
value: ${VALUE:-none}
"
TXT
    git -C "$dir" init -q -b master
    git -C "$dir" add .
    git -C "$dir" commit -qm first
    (cd "$dir" && deis create "$1" >/dev/null)
}
# change_app NAME: another commit with other contents.
change_app() {
    date +%s%N >"$work/apps/$1/version.txt"
    git -C "$work/apps/$1" add -A
    git -C "$work/apps/$1" commit -qm change
}
push() { in_app "$1" git push deis master; }
# master_of APP: the commit that the builder has.
master_of() { git -c safe.directory='*' --git-dir "$work/data/builder/repos/$1.git" rev-parse -q --verify refs/heads/master; }
destroy() { deis destroy -a "$1" --confirm="$1" >/dev/null; }

# --- open-loop load in the background; the first line of each answer is the app's name ---

load_start() { # APP RATE
    "$bin/openloop" --address "127.0.0.1:$http_port" --host "$1.$domain" --rate "$2" >"$work/load.json" &
    load_pid=$!
    load_app=$1
}
load_stop() { # DESCRIPTION: no request may have failed or reached another app
    kill -TERM "$load_pid" 2>/dev/null
    wait "$load_pid"
    note "load: $(jq -c '{sent,ok,failed,retried,p50_ms,p99_ms,max_ms}' "$work/load.json")"
    check "$1" jq -e --arg app "app: $load_app" \
        'if .failed == 0 and .sent > 0 and (.bodies | keys - [$app]) == [] then true else (tostring | halt_error) end' \
        "$work/load.json"
}

# --- clients in the background ---

# begin NAME COMMAND...: its output goes to $work/out/NAME.
begin() {
    local name=$1
    shift
    "$@" >"$work/out/$name" 2>&1 &
    eval "begun_$name=$!"
}
# end_of NAME: its status.
end_of() {
    local pid=begun_$1
    wait "${!pid}"
}
# ended DESCRIPTION NAME: it must end well.
ended() {
    if end_of "$2"; then
        ok "$1"
    else
        not_ok "$1"
        tail -n 15 "$work/out/$2" | sed 's/^/#   /'
    fi
}
