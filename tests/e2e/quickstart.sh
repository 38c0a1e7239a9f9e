# SPDX-License-Identifier: MIT
# One command, a platform.

busybox nc -l -p "$http_port" >/dev/null &
holder=$!
until_true 5 sh -c "ss -ltnH 'sport = :$http_port' | grep -q ."
check "a port that is taken is named with its holder" fail_with "port $http_port is taken by \"busybox\"" "$root/deploy/quickstart"
kill "$holder"
wait "$holder" 2>/dev/null
started=$(date +%s)
check "quickstart ends with a deployed app" "$root/deploy/quickstart" || {
    docker ps -a --filter label=deis.component --format '#   {{.Names}} {{.Status}}'
    exit 1
}
took=$(($(date +%s) - started))
note "quickstart took $took s"
check "quickstart ends within 10 minutes" test "$took" -le 600
check "the example answers" contains "$(get hello)" "release: v2"
started=$(date +%s)
check "a second run reports the running platform" run_with "running already" "$root/deploy/quickstart"
check "a second run ends within 15 s" test $(($(date +%s) - started)) -le 15
check "deisctl status: all components are up" deisctl status
check "deisctl machines shows this machine" run_with present deisctl machines
check "deisctl list shows the services" run_with deis-router deisctl list
