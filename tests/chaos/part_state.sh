# SPDX-License-Identifier: MIT
# etcd away, and files of ours that are damaged: rows 13, 14, 32, 75.

load_start steady 50
before=$(latest steady)
hold_down etcd
login_503() {
    local out
    out=$(curl -s -m 3 -w ' %{http_code}' -H 'Content-Type: application/json' -d '{"username":"dev","password":"x"}' "$api_url/v1/auth/login/")
    case $out in *' 503') ;; *) echo "$out"; return 1 ;; esac
}
check "without etcd the API says 503 and does not hang" login_503
for s in scheduler controller logger builder registry-proxy; do kill_9 "$s"; done
one=$(docker ps -q --no-trunc --filter "label=deis.agent=$machine" --filter label=deis.app=steady | head -n 1)
docker kill "$one" >/dev/null
two_run() { [ "$(docker ps -q --filter "label=deis.agent=$machine" --filter label=deis.app=steady | wc -l)" = 2 ]; }
check "without etcd, after kills of all services, a unit that died runs again" until_true 15 two_run
let_up etcd
check "all is up 15 s after etcd" until_true 15 all_up
check "a change works again" until_true 15 deis config:set -a steady AFTER=state
check "it made one release" test "$(latest steady)" = $((before + 1))
load_stop "no request failed without etcd"
invariants "etcd away"

# etcd dies in the middle of changes.
for i in 1 2 3; do
    before=$(latest steady)
    begin change api POST /apps/steady/config/ -d "{\"values\":{\"ETCD\":\"$i\"}}"
    nap "$(random 900)"
    kill_9 etcd
    end_of change
    until_true 15 all_up >/dev/null || not_ok "all is up after a kill of etcd"
    invariants "a change during which etcd died"
    after=$(latest steady)
    case $(tail -n 1 "$work/out/change") in
    20?) check "an acknowledged change is there" test "$after" = $((before + 1)) ;;
    *) check "a change that failed is there once or not at all" test "$after" -le $((before + 1)) ;;
    esac
done

# Row 75: what a service kept for a start without etcd is damaged: refused, then made anew.
hold_down etcd
hold_down router
hold_down scheduler
for f in $(find "$work/data/router" "$work/data/scheduler" -type f -size +0); do
    size=$(stat -c %s "$f")
    printf '\377' | dd of="$f" bs=1 seek=$((size / 2)) conv=notrunc status=none
done
let_up router
let_up scheduler
check "the router starts with a damaged table" until_true 10 is_up router
check "and does not serve from it" test "$(status_of steady)" != 200
let_up etcd
check "all is up, damaged files notwithstanding" until_true 20 all_up
check "the app serves" until_true 5 serves steady "v$(latest steady)"
invariants "damaged files"
