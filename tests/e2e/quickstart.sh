# SPDX-License-Identifier: MIT
# One command, a platform.

busybox nc -l -p "$http_port" >/dev/null &
holder=$!
until_true 5 sh -c "ss -ltnH 'sport = :$http_port' | grep -q ."
check "a port that is taken is named with its holder" fail_with "port $http_port is taken by \"busybox\"" "$root/deploy/quickstart"
kill "$holder"
wait "$holder" 2>/dev/null
started=$(date +%s)
strict_quickstart() (umask 077 && exec "$root/deploy/quickstart") # as root has it on hardened machines
(umask 077 && exec setsid "$root/deploy/quickstart") >"$work/cut.log" 2>&1 &
cut=$!
api_is_up() { [ "$(status_of deis /v1/)" = 401 ]; }
until_true 600 api_is_up # and nobody is registered yet
kill -9 -- "-$cut"
wait "$cut" 2>/dev/null
check "quickstart, cut at its first run, ends with a deployed app" strict_quickstart || {
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
without_options() { env -u DEIS_HTTP_PORT -u DEIS_HTTPS_PORT -u DEIS_SSH_PORT -u DEIS_DATA "$root/deploy/quickstart" "$@"; }
check "the administrator is the operator's" run_with "Administrator: admin" "$root/deploy/quickstart"
check "a run without options finds it, too" run_with ":$ssh_port/<app>.git" without_options
check "other options than the platform has are refused" fail_with "has --http-port $http_port, not 1 " without_options --http-port 1
check "deisctl status: all components are up" deisctl status
check "deisctl machines shows this machine" run_with present deisctl machines
check "deisctl list shows the services" run_with deis-router deisctl list
