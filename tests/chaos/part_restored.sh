# SPDX-License-Identifier: MIT
# Row 76: etcd comes back empty, later with its data: what runs is not touched meanwhile.

engine_ids() { docker ps -q --no-trunc --filter "label=deis.agent=$machine" | sort; }
before=$(engine_ids)
load_start steady 50
hold_down etcd
until_true 5 gone etcd
cp -a "$work/data/etcd" "$work/data/etcd.kept"
rm -rf "$work/data/etcd/member"
let_up etcd
until_true 10 is_up etcd >/dev/null || not_ok "an empty etcd is up"
nap 6000 # that nothing happens is the point
check "an empty etcd stops no container" test "$before" = "$(engine_ids)"
hold_down etcd
until_true 5 gone etcd
rm -rf "$work/data/etcd"
mv "$work/data/etcd.kept" "$work/data/etcd"
let_up etcd
check "all is up with the right data" until_true 30 all_up
check "nothing was restarted" test "$before" = "$(engine_ids)"
check "a change works again" until_true 15 deis config:set -a steady AFTER=restore
load_stop "no request failed with an empty etcd"
invariants "an empty etcd"
