# SPDX-License-Identifier: MIT
# Deploys that must fail, and how: the cause is named, the status is not 0, the old release serves, no number is spent.

new_app "$work/bad"
in_app bad deis create bad >/dev/null
check "the first release of the app" run_with "bad:v2 deployed" in_app bad git push deis master

# refuse DESCRIPTION TEXT: the push of $work/bad fails with TEXT, nothing has changed.
refuse() {
    git -C "$work/bad" add -A
    git -C "$work/bad" commit -qm "$1"
    check "$1: the push fails and says why" fail_with "$2" in_app bad git push deis master
    check "$1: the old release serves" test "$(release_of bad)" = v2
    git -C "$work/bad" reset -q --hard HEAD~1
}

sed -i '$ a RUN exit 3' "$work/bad/Dockerfile"
refuse "a failing Dockerfile" "exit 3"
printf 'FROM deis/web:1\nENTRYPOINT []\nCMD ["/bin/sh","-c","echo no database; exit 4"]\n' >"$work/bad/Dockerfile"
rm -f "$work/bad/Procfile"
started=$(now_ms)
refuse "an app that exits at boot" "exited with code 4 before it was ready" # and is not waited for in vain
note "noticed after $(($(now_ms) - started)) ms, build included"
printf 'FROM deis/web:1\nENTRYPOINT []\nCMD ["/bin/sh","-c","while :; do read x </dev/null; sleep 1; done"]\n' >"$work/bad/Dockerfile"
rm -f "$work/bad/Procfile"
# Enough for one that starts well on a busy machine, which this has to, and the next push.
in_app bad deis config:set DEIS_DEPLOY_TIMEOUT=20 >/dev/null # makes v3
check "a release with a shorter time to start" test "$(release_of bad)" = v3
git -C "$work/bad" add -A
git -C "$work/bad" commit -qm "never listens"
check "an app that never listens: the push fails and says why" fail_with "within 20 s" in_app bad git push deis master
check "an app that never listens: the old release serves" test "$(release_of bad)" = v3
git -C "$work/bad" reset -q --hard HEAD~1
change_app "$work/bad"
check "the failed pushes have spent no number" run_with "bad:v4 deployed" in_app bad git push deis master

ssh-keygen -q -t ed25519 -N '' -C eve -f "$HOME/.ssh/eve"
as_eve() { GIT_SSH_COMMAND=${GIT_SSH_COMMAND/.ssh\/id/.ssh\/eve} DEIS_PROFILE=eve "$@"; }
check "an unknown key is refused" fail_with "Permission denied" as_eve in_app bad git push deis master
as_eve deis register "$controller" --username=eve --password=secret-eve --email=eve@example.com >/dev/null
as_eve deis keys:add "$HOME/.ssh/eve.pub" >/dev/null
change_app "$work/bad"
as_eve in_app bad git push deis master >"$work/foreign" 2>&1
check "somebody else's app is refused" test $? -ne 0
git -C "$work/bad" remote add nowhere "ssh://git@deis.$domain:$ssh_port/nowhere.git"
as_eve in_app bad git push nowhere master >"$work/nowhere" 2>&1
check "an app that is not there is refused" test $? -ne 0
same_refusal() { diff <(sed 's/nowhere/APP/g' "$work/nowhere" | grep -i 'app') <(sed 's/bad/APP/g' "$work/foreign" | grep -i 'app'); }
check "both refusals read the same" same_refusal
check "fetching somebody else's source is refused" fail_with "" as_eve in_app bad git fetch deis
check "nothing was made for the unknown app" test ! -e "$data/builder/repos/nowhere.git"
check "destroying an app" in_app bad deis destroy --confirm=bad -a bad
