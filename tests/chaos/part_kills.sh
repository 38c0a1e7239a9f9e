# SPDX-License-Identifier: MIT
# kill -9 of each service in turn: rows 1, 4, 8, 9, 10, 11, 17 and the loss of etcd.

engine_ids() { docker ps -q --no-trunc --filter "label=deis.agent=$machine" | sort; }
before=$(engine_ids)
load_start steady 50
for s in controller builder scheduler logger registry-proxy etcd; do
    old=$(pid_of "$s")
    kill_9 "$s"
    started=$(now_ms)
    other() { [ "$(pid_of "$s")" != "$old" ] && is_up "$s"; }
    check "$s is back within 5 s of kill -9" until_true 5 other
    note "$s: $(($(now_ms) - started)) ms"
done
check "no unit was restarted" test "$before" = "$(engine_ids)"
check "the API takes changes again within 10 s" until_true 10 deis config:set -a steady "AFTER=kills"

# Row 8: the scheduler dies while it has a scale to carry out; nothing starts twice.
begin scale deis ps:scale -a steady cmd=5
nap 400
kill_9 scheduler
ended "a scale during which the scheduler died ends well" scale
five() { [ "$(engine_ids | wc -l)" = 5 ]; }
check "five containers, 20 s after at most" until_true 20 five
deis ps:scale -a steady cmd=2 >/dev/null
load_stop "no request failed while services and etcd were killed"
invariants "kills of services"

# The router, without etcd: it serves from its saved table.
hold_down etcd
kill_9 router
check "the router serves from its own table before etcd is back" until_true 3 serves steady "v$(jq -r '.["apps/steady"].latest' "$work/state.json")"
let_up etcd
check "all is up 15 s after etcd" until_true 15 all_up

# Row 17: a router and an engine that slept through a compaction.
stop_cont router STOP
stop_cont scheduler STOP
deis domains:add -a steady slept.example.org >/dev/null
begin scale deis ps:scale -a steady cmd=3
until_true 10 sh -c "ETCDCTL_API=3 etcdctl --endpoints $etcd_url get /deis/formations/steady | grep -q '\"count\":3'" || not_ok "the formation for 3"
revision=$(ETCDCTL_API=3 etcdctl --endpoints "$etcd_url" get /deis/formations/steady -w json | jq .header.revision)
ETCDCTL_API=3 etcdctl --endpoints "$etcd_url" compact "$revision" >/dev/null || not_ok "compaction"
stop_cont scheduler CONT
stop_cont router CONT
check "a domain made while the router slept is served within 5 s" until_true 5 curl -sf -H "Host: slept.example.org" "http://127.0.0.1:$http_port/"
ended "a scale made while the scheduler slept is carried out" scale
deis ps:scale -a steady cmd=2 >/dev/null
invariants "a compaction that was slept through"
