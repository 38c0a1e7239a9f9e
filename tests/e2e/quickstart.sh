# SPDX-License-Identifier: MIT
# One command, a platform.

check "data where an option of Docker's would end is refused" fail_with "--data must not hold" "$root/deploy/quickstart" --data "$work/a:b"
busybox nc -l -p "$http_port" >/dev/null &
holder=$!
eventually sh -c "ss -ltnH 'sport = :$http_port' | grep -q ."
check "a port that is taken is named with its holder" fail_with "port $http_port is taken by \"busybox\"" "$root/deploy/quickstart"
kill "$holder"
wait "$holder" 2>/dev/null
started=$(date +%s)
# As root may have it: files are for nobody else, git signs what is committed, the world is behind a proxy.
mkdir -p "$work/root-home"
printf '[commit]\n\tgpgsign = true\n[gpg]\n\tprogram = false\n' >"$work/root-home/.gitconfig"
as_root_may() { umask 077 && HOME=$work/root-home http_proxy=http://127.0.0.1:9 exec "$@"; }
strict_quickstart() (as_root_may "$root/deploy/quickstart")
(as_root_may setsid "$root/deploy/quickstart") >"$work/cut.log" 2>&1 &
cut=$!
# Up to where the API answers, and nobody is registered yet.
until [ "$(status_of deis /v1/)" = 401 ]; do
    kill -0 "$cut" 2>/dev/null || { sed 's/^/#   /' "$work/cut.log"; break; }
    sleep 0.1
done
kill -9 -- "-$cut" 2>/dev/null
wait "$cut" 2>/dev/null
cut=
mkdir -p "$work/quickstart"
watch_start "$work/quickstart"
check "quickstart, cut at its first run, ends with a deployed app" strict_quickstart || {
    docker ps -a --filter label=deis.component --format '#   {{.Names}} {{.Status}}'
    exit 1
}
took=$(($(date +%s) - started))
watch_stop "$work/quickstart"
check "the administrator's password is on no command line" was_hidden "$work/quickstart" "$(sed -n 2p "$data/quickstart/admin")"
note "quickstart took $took s (of 600 on a machine of 2 cores)"
check "quickstart ends within 10 minutes" test "$took" -le 600
check "the example answers" shows hello "release: v2"
started=$(now_ms)
check "a second run reports the running platform" run_with "running already" "$root/deploy/quickstart"
took=$(($(now_ms) - started))
note "a second run took $took ms (of 15000)"
check "a second run ends within 15 s" test "$took" -le 15000
# What a run leaves that is cut while it makes the example app.
rm "$data/quickstart/complete"
git -C "$data/quickstart/hello" remote remove deis
check "quickstart, cut at its example, ends with a deployed app" run_with "release: v2" "$root/deploy/quickstart"
# Making images is cut.
mkdir -p "$work/images"
TMPDIR=$work/images "$root/deploy/images/build" cut >/dev/null 2>&1 &
maker=$!
eventually sh -c "ls '$work/images' | grep -q ."
kill "$maker"
wait "$maker" 2>/dev/null
check "images that are not made to their end leave no files" test -z "$(ls "$work/images")"
without_options() { env -u DEIS_HTTP_PORT -u DEIS_HTTPS_PORT -u DEIS_SSH_PORT -u DEIS_DATA "$root/deploy/quickstart" "$@"; }
check "the administrator is the operator's" run_with "Administrator: admin" "$root/deploy/quickstart" --data "$data/"
check "a run without options finds it, too" run_with ":$ssh_port/<app>.git" without_options
check "other options than the platform has are refused" fail_with "has --http-port $http_port, not 1 " without_options --http-port 1
check "deisctl status: all components are up" eventually deisctl status
check "deisctl machines shows this machine" run_with present deisctl machines
check "deisctl list shows the services" run_with deis-router deisctl list
