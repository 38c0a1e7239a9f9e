# SPDX-License-Identifier: MIT
# A new router takes over from the running one while requests and a long connection go on.

# hold: an SSH connection through the router, open until its stdin ends; what comes back goes to a file.
exec 9<>/dev/tcp/127.0.0.1/"$ssh_port"
read -r -t 10 held <&9 || held=
check "an SSH connection is open" contains "$held" "SSH-2.0"
load_start demo 500 upgrade
if "$root/deploy/quickstart" --upgrade=router >"$work/upgrade.log" 2>&1; then
    ok "quickstart --upgrade=router"
else
    not_ok "quickstart --upgrade=router"
    tail -n 8 "$work/upgrade.log" | sed 's/^/#   /'
fi
sleep 2 # seconds of load on the new one alone
load_stop "no request of 500 a second failed while the router was replaced"
old=$(docker ps -a --filter name=deis-router-leaving- --format '{{.Names}}')
check "the router before is still there for the SSH connection" run_with "true" docker inspect -f '{{.State.Running}}' "$old"
printf 'SSH-2.0-test\r\n' >&9
answer=$(timeout 10 head -c 1 <&9 | wc -c)
check "that connection goes on" test "$answer" = 1
exec 9>&- 9<&-
has_ended() { [ "$(docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' "$old")" = "exited 0" ]; }
check "it ends with its last connection" until_true 20 has_ended
check "deisctl status" deisctl status
former=$(printf 'FROM deis/logger:dev\nLABEL deis.platform=1 former=1\n' | docker build -q -)
check "an upgrade of nothing replaces nothing and clears up" "$root/deploy/quickstart" --upgrade
check "the container of the router before is gone" test -z "$(docker ps -aq --filter name=deis-router-leaving-)"
check "an image that went before is gone" fail_with "No such image" docker image inspect "$former"

# What an upgrade leaves that is cut before the new router is there.
docker update --restart no deis-router >/dev/null
docker rename deis-router deis-router-leaving-cut
check "an upgrade that was cut is taken up" "$root/deploy/quickstart" --upgrade
check "the router has its name and its restart policy again" run_with "true always" \
    docker inspect -f '{{.State.Running}} {{.HostConfig.RestartPolicy.Name}}' deis-router
check "and serves" has_status 200 demo
