# SPDX-License-Identifier: MIT
# 200 requests a second while everything changes: none may fail.

load_start demo 200 changes
for i in $(seq 10); do
    change_app "$work/demo"
    in_app demo git push -q deis master >"$work/push.log" 2>&1 || { not_ok "deploy $i under load"; tail -n 8 "$work/push.log"; }
done
ok "10 deploys under load"
for i in $(seq 10); do
    in_app demo deis config:set "ROUND=$i" >"$work/config.log" 2>&1 || { not_ok "config change $i under load"; tail -n 4 "$work/config.log"; }
done
ok "10 config changes under load"
for n in 4 2 5 1 3; do
    in_app demo deis ps:scale "$type=$n" >"$work/scale.log" 2>&1 || { not_ok "scale to $n under load"; tail -n 4 "$work/scale.log"; }
done
ok "5 scales under load"
for i in 1 2; do
    in_app demo deis rollback >"$work/rollback.log" 2>&1 || { not_ok "rollback $i under load"; tail -n 4 "$work/rollback.log"; }
done
ok "2 rollbacks under load"
check "ps:restart under load" in_app demo deis ps:restart
api_up() { deisctl status && in_app demo deis ps:list; }
for c in controller builder scheduler logger registry-proxy; do
    for i in 1 2; do
        docker restart -t 10 "deis-$c" >/dev/null
        eventually api_up || not_ok "$c is back after restart $i"
    done
done
ok "2 restarts of each of controller, builder, scheduler, logger, registry-proxy"
load_stop "no request failed while deploying, configuring, scaling, rolling back and restarting services"
