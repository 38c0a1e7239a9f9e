# SPDX-License-Identifier: MIT
# A new router takes over from the running one while requests and a long connection go on.

# A push that has not said yet what it pushes: an SSH connection through the router for as long as we like.
coproc HELD { exec $GIT_SSH_COMMAND -p "$ssh_port" "git@deis.$domain" "git-receive-pack '/demo.git'" 2>&1; }
held_pid=$HELD_PID
exec 9>&"${HELD[1]}"
read -r -t "$patience" -N 4 head <&"${HELD[0]}" # of a packet: its length
check "an SSH connection is open" grep -qx '[0-9a-f]\{4\}' <<<"$head"
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
(printf '0000' >&9) # nothing: this ends git in order
exec 9>&-
wait "$held_pid"
check "that connection goes on" test $? = 0
has_ended() { [ "$(docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' "$old")" = "exited 0" ]; }
check "it ends with its last connection" eventually has_ended
check "deisctl status" eventually deisctl status
former=$(printf 'FROM deis/logger:dev\nLABEL deis.platform=1 former=1\n' | docker build -q - 2>/dev/null)
check "an upgrade of nothing replaces nothing and clears up" "$root/deploy/quickstart" --upgrade
check "the container of the router before is gone" test -z "$(docker ps -aq --filter name=deis-router-leaving-)"
check "an image that went before is gone" fail_with "No such image" docker image inspect "$former"

# What an upgrade leaves that is cut before the new router is there.
docker update --restart no deis-router >/dev/null
docker rename deis-router deis-router-leaving-cut
check "an upgrade that was cut is taken up" "$root/deploy/quickstart" --upgrade
check "the router has its name and its restart policy again" run_with "true always" \
    docker inspect -f '{{.State.Running}} {{.HostConfig.RestartPolicy.Name}}' deis-router
check "and serves" eventually has_status 200 demo
