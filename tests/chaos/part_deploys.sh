# SPDX-License-Identifier: MIT
# Releases and containers that misbehave: rows 35, 36, 37, 39, 49, 62.

load_start steady 50
new_app bad
check "the app's first push" push bad

# refused DESCRIPTION REASON COMMAND-OF-THE-APP: the push fails, says why, the old release serves, no number is spent.
refused() {
    local before
    before=$(latest bad)
    printf 'FROM %s\nEXPOSE 5000\nCMD %s\n' "$base_image" "$3" >"$work/apps/bad/Dockerfile"
    change_app bad
    push bad >"$work/out/push" 2>&1 && not_ok "$1: the push must fail"
    check "$1: the push says why" has "$2" "$work/out/push"
    check "$1: no release" test "$(latest bad)" = "$before"
    check "$1: the old one serves" serves bad "v$before"
    git -C "$work/apps/bad" reset -q --hard HEAD~1
    invariants "$1"
}
refused "a release that crashes" "exited with code 4" '["/bin/sh","-c","echo no database; exit 4"]'
deis config:set -a bad DEIS_DEPLOY_TIMEOUT=4 >/dev/null
refused "a release that never listens" "within 4 s" '["/bin/sh","-c","while :; do sleep 1; done"]'
deis config:unset -a bad DEIS_DEPLOY_TIMEOUT >/dev/null

# Row 37: it ignores SIGTERM; its successor is not kept waiting for, nor are requests sent to it.
printf 'FROM %s\nCOPY . /app\nEXPOSE 5000\nCMD ["/bin/sh","-c","trap : TERM; /app/start & while :; do sleep 1; done"]\n' "$base_image" >"$work/apps/bad/Dockerfile"
change_app bad
check "an app that ignores SIGTERM is deployed" push bad
started=$(now_ms)
check "and replaced" deis config:set -a bad VALUE=next
check "the new release serves" serves bad "v$(latest bad)"
one_left() { [ "$(docker ps -q --filter "label=deis.agent=$machine" --filter label=deis.app=bad | wc -l)" = 1 ]; }
check "it is killed after its grace time" until_true 15 one_left
note "killed $(($(now_ms) - started)) ms after the change"
git -C "$work/apps/bad" checkout -q HEAD~1 -- Dockerfile
change_app bad
check "a sound release again" push bad

# Row 39: it accepts and hangs up.
new_app closer
printf 'FROM %s\nCOPY . /app\nEXPOSE 5000\nCMD ["/bin/sh","-c","while :; do nc -l -p 5000 -e /bin/true; done"]\n' "$base_image" >"$work/apps/closer/Dockerfile"
change_app closer
check "an app that accepts and hangs up is deployed" push closer
started=$(now_ms)
check "a request that is no idempotent gets 502" test "$(curl -s -o /dev/null -w '%{http_code}' -m 5 -d x -H "Host: closer.$domain" "http://127.0.0.1:$http_port/")" = 502
check "at once" test $(($(now_ms) - started)) -lt 1000
destroy closer

# Rows 49, 62: containers that are killed, and removed, behind our back, one of two each time.
containers() { docker ps -q --no-trunc --filter "label=deis.agent=$machine" --filter label=deis.app=steady; }
for how in "kill" "rm -f"; do
    one=$(containers | head -n 1)
    # shellcheck disable=SC2086
    docker $how "$one" >/dev/null
    replaced() { [ "$(containers | wc -l)" = 2 ]; }
    check "docker $how: replaced within 10 s" until_true 10 replaced
    invariants "docker $how"
done
load_stop "no request failed while releases failed and containers were killed"
destroy bad
invariants "deploys"
