# SPDX-License-Identifier: MIT
# Pushes that are cut, that collide, and whose platform dies under them: rows 6, 7, 11, 50, 51, 52, 68.

load_start steady 50
new_app pushed
check "the app's first push" push pushed
lines() { until_true 30 has "$1" "$work/out/push"; }

# until the push has said TEXT, then COMMAND...
push_with() { # NAME TEXT COMMAND...
    local text=$2
    change_app "$1"
    begin push push "$1"
    shift 2
    lines "$text" || not_ok "the push says '$text'"
    "$@"
}

# cut SERVICE-OR-CLIENT TEXT: killed when the push says TEXT; ref and release are both old or both new, and the next works.
cut_push() {
    local old_ref old_release
    old_ref=$(master_of pushed)
    old_release=$(latest pushed)
    if [ "$1" = client ]; then
        push_with pushed "$2" pkill -KILL -f 'git-receive-pack.*pushed.git'
    else
        push_with pushed "$2" kill_9 "$1"
    fi
    if end_of push; then
        note "$1 killed at '$2': the push went through"
    else
        note "$1 killed at '$2': the push failed"
    fi
    invariants "$1 killed at '$2'"
    note "release v$old_release, now v$(latest pushed); ref $([ "$old_ref" = "$(master_of pushed)" ] && echo old || echo new)"
}
IFS=: read -ra phases <<<"$cut_phases"
for phase in "${phases[@]}"; do
    cut_push client "$phase"
    cut_push builder "$phase"
done

# Row 6: in a build step of its own.
printf 'RUN sleep 60\n' >>"$work/apps/pushed/Dockerfile"
push_with pushed "RUN sleep 60" kill_9 builder
end_of push && not_ok "a push without builder must fail"
git -C "$work/apps/pushed" reset -q --hard HEAD~1
change_app pushed
check "the next push works at once" until_true 20 push pushed
invariants "the builder killed in a build step"

# Rows 11, 52, 68: others that the push needs.
for s in registry-proxy controller logger scheduler etcd; do
    case $s in
    registry-proxy) at="Pushing image" ;;
    *) at="Launching" ;;
    esac
    push_with pushed "$at" kill_9 "$s"
    ended "a push goes on when $s is killed at '$at'" push
    invariants "$s killed in a push"
done
push_with pushed "Pushing image" hold_down controller
nap 3000
let_up controller
ended "a push waits for a controller that is away" push
before=$(latest pushed)
push_with pushed "Launching" stop_cont controller STOP
nap 7000
stop_cont controller CONT
ended "a push outlasts a controller that sleeps and then sees each message twice" push
check "one release was made of it" test "$(latest pushed)" = $((before + 1))

# Row 51: ten at once; one after the other may win, each of them is whole.
for i in $(seq 10); do
    git clone -q "$work/apps/pushed" "$work/apps/racer$i" 2>/dev/null
    date +%s%N >"$work/apps/racer$i/version.txt"
    git -C "$work/apps/racer$i" commit -qam "racer $i"
    git -C "$work/apps/racer$i" remote add deis "ssh://git@127.0.0.1:$ssh_port/pushed.git"
done
before=$(latest pushed)
for i in $(seq 10); do begin "racer$i" push "racer$i"; done
won=0
for i in $(seq 10); do
    if end_of "racer$i"; then
        won=$((won + 1))
        check "the winner's commit is master" test "$(git -C "$work/apps/racer$i" rev-parse HEAD)" = "$(master_of pushed)"
    else
        check "a loser is told why" grep -qE 'ongoing|fetch first|stale|non-fast-forward|failed to update|reference already' "$work/out/racer$i"
    fi
done
check "one of ten concurrent pushes won" test "$won" = 1
check "and made one release" test "$(latest pushed)" = $((before + 1))
load_stop "no request failed during all these pushes"
destroy pushed
invariants "pushes"
