# SPDX-License-Identifier: MIT
# Destroying an app and the platform leaves nothing behind.

check "deis destroy" run_with "done" in_app demo deis destroy --confirm=demo
none_left() {
    [ -z "$(docker ps -aq --filter label=deis.app=demo)" ] || { echo "a container is left"; return 1; }
    [ -z "$(docker images -q --filter label=deis.app=demo)" ] || { echo "an image is left"; return 1; }
    [ ! -e "$data/builder/repos/demo.git" ] || { echo "the repository is left"; return 1; }
    [ ! -e "$data/registry-proxy/repos/demo" ] || { echo "the registry has it still"; return 1; }
    [ "$(status_of demo)" = 404 ] || { echo "the route is left"; return 1; }
    local keys
    keys=$(docker exec -e ETCDCTL_API=3 deis-etcd etcdctl get --prefix /deis/ --keys-only | grep -v '^/deis/\(audit\|outcomes\)/' | grep -w demo)
    [ -z "$keys" ] || { echo "keys are left: $keys"; return 1; }
}
check "no container, route, repository, image or key of the app is left" eventually none_left
check "quickstart --down finds the data by itself" env -u DEIS_DATA "$root/deploy/quickstart" --down
footprint >"$work/after"
processes >"$work/processes.after"
check "nothing is left behind" diff "$work/before" "$work/after"
check "no process is left behind" none_more "$work/processes.before" "$work/processes.after"
check "the data is gone, the disk is not" test "$(ls -A "$data")" = lost+found
