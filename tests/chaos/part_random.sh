# SPDX-License-Identifier: MIT
# Row 12: a random service is killed, or sleeps, at a random instant of a random change.

new_app any
check "the app's first push" push any
for round in $(seq "$rounds"); do
    set -- $services etcd
    shift "$(random $#)"
    victim=$1
    how=$([ "$(random 3)" = 0 ] && echo sleep || echo kill)
    before=$(latest any)
    grows=1
    case $(random 4) in
    0 | 1)
        what=push
        change_app any
        begin change push any
        nap "$(random 4500)"
        ;;
    2)
        what=config
        begin change deis config:set -a any "VALUE=$round"
        nap "$(random 1200)"
        ;;
    3)
        what=scale
        grows=0
        begin change deis ps:scale -a any "cmd=$((1 + $(random 4)))"
        nap "$(random 1200)"
        ;;
    esac
    if [ "$how" = kill ]; then
        kill_9 "$victim"
    else
        stop_cont "$victim" STOP
        nap "$(random 4000)"
        stop_cont "$victim" CONT
    fi
    end_of change
    status=$?
    until_true 20 all_up >/dev/null || not_ok "all is up after $how of $victim"
    invariants "round $round: $how of $victim in a $what, which ended with $status"
    after=$(latest any)
    if [ "$status" = 0 ]; then
        check "what was acknowledged is there once" test "$after" = $((before + grows))
    else
        tail -n 3 "$work/out/change" | sed 's/^/#   /'
        check "what failed is there once or not at all" test "$after" -ge "$before" -a "$after" -le $((before + grows))
    fi
    check "the app serves the newest release" until_true 5 serves any "v$after"
    # A push that was cut may have been completed: then the ref has moved on without its client.
    in_app any git fetch -q deis 2>/dev/null
done
destroy any
invariants "random rounds"
