# SPDX-License-Identifier: MIT
# The cluster key is changed while everything runs: row 67, and what is sealed at rest.

key_file=$work/cluster.key
ctl() { deisctl --endpoint "$etcd_url" "$@"; }
key_ids() { ctl key:list --key-file "$key_file" | awk 'NR > 1 && $3 ~ /^(seals|new|old)$/ { print $1 }'; }
containers_of() { docker ps -q --no-trunc --filter "label=deis.agent=$machine" --filter "label=deis.app=$1" | sort; }

# Nothing in etcd is sealed with that key, and one key is left.
key_is_gone() {
    local left
    left=$(ETCDCTL_API=3 etcdctl --endpoints "$etcd_url" get --prefix /deis/ | grep -c "v1:$1:")
    [ "$left" = 0 ] || { echo "$left values are sealed with $1"; return 1; }
    [ "$(wc -l <"$key_file")" = 1 ] || { echo "more keys than one are left"; return 1; }
    ! grep -rl "v1:$1:" "$work/data/scheduler" "$work/data/router" || { echo "a saved file has the old key"; return 1; }
}

# Changes of an app, one after the other, until $work/run/changed is there; each must work.
changes() {
    local n=0
    until [ -e "$work/run/changed" ]; do
        n=$((n + 1))
        deis config:set -a turned "TURN=$n" || { echo "change $n failed"; return 1; }
    done
    echo "$n changes"
}

new_app turned
check "an app that is changed meanwhile" push turned
check "a value of it" deis config:set -a turned "SECRET=$canary-turned"
load_start steady 50
before=$(containers_of steady)
old=$(key_ids)
rm -f "$work/run/changed"
begin changes changes
change_app turned
nap 500
check "key:rotate" ctl key:rotate --key-file "$key_file" --timeout 120
: >"$work/run/changed"
ended "no change of an app failed meanwhile" changes
note "$(tail -n 1 "$work/out/changes")"
check "nothing is sealed with the old key $old" until_true 10 key_is_gone "$old"
check "another key seals" test "$(key_ids)" != "$old"
check "no container was replaced for it" test "$(containers_of steady)" = "$before"
check "values can be read" has "$canary-turned" <(deis config:get SECRET -a turned 2>&1 || deis config -a turned)
check "a push works" push turned
# The environment of a container that is made anew is opened with the new key.
docker rm -f "$(containers_of steady | head -n 1)" >/dev/null
two_run() { [ "$(containers_of steady | wc -l)" = 2 ]; }
check "a container that was removed is there again" until_true 15 two_run
load_stop "no request failed while the key was changed"
invariants "a change of the key"

# The same with deaths in the middle: of deisctl, of who seals anew, of all at once.
for who in "" controller scheduler "controller scheduler router logger builder"; do
    old=$(key_ids)
    rotated=0
    for try in 1 2 3 4 5 6 7 8; do
        ctl key:rotate --key-file "$key_file" --timeout 120 >"$work/out/rotate" 2>&1 &
        pid=$!
        nap $((100 + $(random 4000)))
        for s in $who; do kill_9 "$s"; done
        if ! kill -9 "$pid" 2>/dev/null; then
            wait "$pid" && rotated=1
        fi
        wait "$pid" 2>/dev/null
        [ "$(wc -l <"$key_file")" -ge 1 ] || not_ok "the key file is empty"
        [ "$rotated" = 0 ] || break
    done
    [ "$rotated" = 1 ] || [ "$(key_ids | wc -l)" = 1 ] ||
        check "key:rotate goes on after its own end${who:+ and that of $who}" ctl key:rotate --key-file "$key_file" --timeout 120
    check "nothing is left of the old key${who:+ ($who killed)}" until_true 30 key_is_gone "$old"
    until_true 30 all_up >/dev/null || not_ok "all is up"
    check "a change works" until_true 15 deis config:set -a turned "AFTER=$old"
    invariants "a change of the key with kills${who:+ of $who}"
done
destroy turned
