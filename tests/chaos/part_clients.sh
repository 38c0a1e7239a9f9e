# SPDX-License-Identifier: MIT
# Many clients on one app, and an app that is deleted under them: the races of the API, rows 1, 78, 79.

new_app busy
check "the app's first push" push busy
load_start steady 50

# summaries APP: one line a release, "version summary".
summaries() { api_get "/apps/$1/releases/?page_size=1000" | jq -r '.results[] | "\(.version) \(.summary)"'; }

# each_in_one_release APP KEY...: every acknowledged config change is in exactly one release, others in one at most.
each_in_one_release() {
    local app=$1 key n wrong=0
    shift
    summaries "$app" >"$work/out/summaries"
    for key in "$@"; do
        n=$(grep -cw "$key" "$work/out/summaries")
        case $(tail -n 1 "$work/out/set_$key") in
        201 | 200) [ "$n" = 1 ] || { echo "$key was acknowledged and is in $n releases"; wrong=1; } ;;
        *) [ "$n" -le 1 ] || { echo "$key is in $n releases"; wrong=1; } ;;
        esac
    done
    return "$wrong"
}
# set_value APP KEY: through the API; a change that collides with another one is tried again.
set_value() {
    local status
    for _ in $(seq 60); do
        api POST "/apps/$1/config/" -d "{\"values\":{\"$2\":\"x\"}}" >"$work/out/set_$2"
        status=$(tail -n 1 "$work/out/set_$2")
        [ "$status" = 409 ] || break
        sleep 0.3
    done
}

keys=
for i in $(seq 20); do
    set_value busy "KEY$i" &
    keys="$keys KEY$i"
    eval "setter$i=$!"
done
for i in $(seq 20); do
    eval "wait \$setter$i"
    case $(tail -n 1 "$work/out/set_KEY$i") in
    20?) ;;
    *) not_ok "change $i: $(tail -n 2 "$work/out/set_KEY$i")" ;;
    esac
done
# shellcheck disable=SC2086
check "20 clients at once: each change is in exactly one release" each_in_one_release busy $keys
all_values() { [ "$(api_get /apps/busy/config/ | jq '[.values | keys[] | select(startswith("KEY"))] | length')" = 20 ]; }
check "and all values are in the newest" all_values
invariants "20 clients at once"

# Row 1: the controller is killed at random instants of changes. What was acknowledged is there; nothing is twice.
keys=
for i in $(seq "$cut_changes"); do
    before=$(latest busy)
    begin change api POST /apps/busy/config/ -d "{\"values\":{\"CUT$i\":\"x\"}}"
    nap "$(random 900)"
    kill_9 controller
    end_of change
    cp "$work/out/change" "$work/out/set_CUT$i"
    keys="$keys CUT$i"
    until_true 10 is_up controller || not_ok "the controller is back"
    invariants "a change that kill $i cut"
    note "change $i: v$before, now v$(latest busy), status $(tail -n 1 "$work/out/change")"
done
# shellcheck disable=SC2086
check "changes cut by kills of the controller happened once or not at all" each_in_one_release busy $keys

# Row 79: up and down; the last word counts.
for i in $(seq "$scales"); do
    api POST /apps/busy/scale/ -d '{"cmd":8}' >"$work/out/up$i" &
    up=$!
    nap "$(random 1200)"
    api POST /apps/busy/scale/ -d '{"cmd":0}' >"$work/out/down$i"
    wait "$up"
    note "scale to 8: $(tail -n 1 "$work/out/up$i"), to 0 meanwhile: $(tail -n 1 "$work/out/down$i")"
done
check "scaled to one at last" until_true 30 deis ps:scale -a busy cmd=1
invariants "scaling up and down"

nothing_of() { # APP
    [ -z "$(docker ps -aq --filter "label=deis.chaos=$rig_id" --filter "label=deis.app=$1")" ] || { echo "a container is left"; return 1; }
    [ -z "$(docker images -q --filter "label=deis.chaos=$rig_id" --filter "label=deis.app=$1")" ] || { echo "an image is left"; return 1; }
    [ ! -e "$work/data/builder/repos/$1.git" ] || { echo "the repository is left"; return 1; }
    [ "$(status_of "$1")" = 404 ] || { echo "a route is left"; return 1; }
    ! ETCDCTL_API=3 etcdctl --endpoints "$etcd_url" get --prefix /deis/ --keys-only |
        grep -v '^/deis/\(audit\|outcomes\)/' | grep -w "$1" || { echo "keys are left"; return 1; }
}

# Row 78: deleted while it is deployed, at two phases.
for at in "Building" "Launching"; do
    change_app busy
    begin push push busy
    until_true 30 has "$at" "$work/out/push" || not_ok "the push says '$at'"
    nap "$(random 300)"
    until_true 30 destroy busy || not_ok "the app is destroyed"
    end_of push && note "the push ended well"
    check "nothing is left of an app deleted at '$at'" until_true 30 nothing_of busy
    invariants "deleted at '$at'"
    (cd "$work/apps/busy" && git remote remove deis && deis create busy >/dev/null) || not_ok "the app is made anew"
    check "and can be pushed to" push busy
done
destroy busy
load_stop "no request failed meanwhile"
invariants "clients"
