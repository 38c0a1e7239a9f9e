# SPDX-License-Identifier: MIT
# kill -9 of each service in turn.

pid_of() { docker inspect -f '{{.State.Pid}}' "deis-$1"; }
kill_9() { [ "${1:-0}" -gt 1 ] && kill -9 "$1"; } # a container that is down has pid 0: our own group
is_back() { # COMPONENT OLD-PID: another process runs and answers
    local p
    p=$(pid_of "$1")
    [ "$p" != 0 ] && [ "$p" != "$2" ] || return 1
    case $1 in
    controller) curl -sf -m 10 http://127.0.0.1:8000/healthz ;;
    registry-proxy) curl -sf -m 10 http://127.0.0.1:5555/healthz ;;
    router) test "$(status_of demo)" = 200 ;;
    builder) # as a router connects to it
        timeout 10 bash -c 'exec 3<>/dev/tcp/127.0.0.1/2223 && printf "PROXY UNKNOWN\r\n" >&3 && head -c 4 <&3' 2>/dev/null | grep -q SSH- ;;
    logger) ss -ltnH 'sport = :7002' | grep -q . ;;
    scheduler) ss -ltnH 'sport = :7003' | grep -q . ;;
    esac
}
units_before=$(docker ps -q --filter "label=deis.agent=$(cat "$data/scheduler/machine-id")" --no-trunc | sort)
load_start demo 50 kills
for c in controller builder scheduler logger registry-proxy; do
    old=$(pid_of "$c")
    kill_9 "$old" || { not_ok "deis-$c runs"; continue; }
    started=$(now_ms)
    check "deis-$c is back within 5 s of kill -9" until_true 5 is_back "$c" "$old"
    note "$c: $(($(now_ms) - started)) ms (of 5000)"
done
load_stop "running apps never noticed"
old=$(pid_of router)
kill_9 "$old"
check "deis-router is back within 5 s of kill -9" until_true 5 is_back router "$old"
check "no unit was restarted" test "$units_before" = "$(docker ps -q --filter "label=deis.agent=$(cat "$data/scheduler/machine-id")" --no-trunc | sort)"
eventually deisctl status || not_ok "all components are registered again"

# A push that is cut while it builds.
cp -R "$work/demo" "$work/slow"
git -C "$work/slow" remote remove deis
check "an app for interrupted pushes" in_app slow deis create slow
printf '\nRUN sleep 600\n' >>"$work/slow/Dockerfile"
git -C "$work/slow" commit -qam "slow build"
refs_can_be_read() { git ls-remote "ssh://git@deis.$domain:$ssh_port/slow.git" >"$work/slow.refs"; }
one_release() { local got; got=$(in_app slow deis releases) && contains "$got" "v1" && lacks "$got" "v2"; }
no_image() { local got; got=$(docker images -q --filter label=deis.app=slow) && [ -z "$got" ]; }
no_build() { local got; got=$(docker ps --no-trunc --format '{{.Command}}') && lacks "$got" 'sleep 600'; }
for how in client builder; do
    (cd "$work/slow" && exec setsid git push deis master) >"$work/slow.log" 2>&1 &
    push_pid=$!
    eventually grep -q "sleep 600" "$work/slow.log" || not_ok "the slow build runs ($how)"
    if [ "$how" = client ]; then
        kill -9 -- "-$push_pid" # git, ssh and all
    else
        kill_9 "$(pid_of builder)"
    fi
    wait "$push_pid" 2>/dev/null
    started=$(now_ms)
    check "interrupted push ($how): its build ends before its time" eventually no_build
    note "after $(($(now_ms) - started)) ms"
    check "interrupted push ($how): the repository can be read" eventually refs_can_be_read
    check "interrupted push ($how): no ref" test ! -s "$work/slow.refs"
    check "interrupted push ($how): no release" one_release
    check "interrupted push ($how): no image" eventually no_image
done
sed -i '/sleep 600/d' "$work/slow/Dockerfile"
git -C "$work/slow" commit -qam "quick build"
check "the next push works" run_with "slow:v2 deployed" in_app slow git push deis master
in_app slow deis destroy -a slow --confirm=slow >/dev/null
