# SPDX-License-Identifier: MIT
# A developer's session with the CLI, from register to destroy.

export GIT_SSH_COMMAND="ssh -i $HOME/.ssh/id -o IdentitiesOnly=yes -o UserKnownHostsFile=$HOME/.ssh/known_hosts -o StrictHostKeyChecking=accept-new"
ssh-keygen -q -t ed25519 -N '' -C dev@laptop -f "$HOME/.ssh/id"

# new_app DIR: a git repository with the example app.
new_app() {
    cp -R "$root/examples/web" "$1"
    git -C "$1" init -q -b master
    git -C "$1" add .
    git -C "$1" commit -qm "first"
}
# change_app DIR: another commit with other contents.
change_app() {
    date +%s%N >"$1/version.txt"
    git -C "$1" add .
    git -C "$1" commit -qm "change"
}
in_app() { (cd "$work/$1" && shift && "$@"); }
hosts_of() { for _ in $(seq 60); do get "$1" | sed -n 's/^host: //p'; done | sort -u | wc -l; }

check "deis register" run_with "Registered dev" \
    deis register "$controller" --username=dev --password=secret-dev --email=dev@example.com
check "deis keys:add" run_with "done" deis keys:add "$HOME/.ssh/id.pub"
new_app "$work/demo"
check "deis create" run_with "created demo" in_app demo deis create demo
check "git push deis master" run_with "demo:v2 deployed to Deis" in_app demo git push deis master
check "the app answers with release v2" shows demo "release: v2"
check "deis config:set" run_with "v3" in_app demo deis config:set NODE_ENV=production POWERED_BY=Tests
# A router may take a moment longer to hear of a change than who has made it.
check "the value reaches the app" eventually shows demo "powered by: Tests"
check "deis domains:add" run_with "done" in_app demo deis domains:add shop.example.org
check "the domain answers" eventually sh -c "curl -sf -H 'Host: shop.example.org' http://127.0.0.1:$http_port/"
type=$(in_app demo deis ps:list | sed -n 's/^--- \(.*\):$/\1/p')
check "deis ps:scale to 5" run_with "$type.5 up (v3)" in_app demo deis ps:scale "$type=5"
five_answer() { [ "$(hosts_of demo)" -eq 5 ]; }
check "five containers answer in turn" eventually five_answer
check "deis ps:list" run_with "$type.1 up (v3)" in_app demo deis ps:list
check "deis logs has the app's lines" eventually run_with "demo[$type." in_app demo deis logs
check "deis logs has the releases" eventually run_with "deployed" in_app demo deis logs

(cd "$work/demo" && exec deis logs --tail) >"$work/tail.out" 2>&1 &
tail_pid=$!
check "deis logs --tail shows a new line" eventually sh -c "
    curl -s -o /dev/null -H 'Host: demo.$domain' http://127.0.0.1:$http_port/tail-me; grep -q tail-me '$work/tail.out'"
kill "$tail_pid" 2>/dev/null
wait "$tail_pid" 2>/dev/null

check "deis run" run_with "hello from run" in_app demo deis run echo hello from run
check "deis run has the config" run_with "NODE_ENV=production" in_app demo deis run env
fail_status() { in_app demo deis run -- 'exit 7'; [ $? -eq 7 ]; }
check "deis run ends with the command's status" fail_status
check "deis releases" run_with "v3" in_app demo deis releases
check "deis rollback" run_with "v4" in_app demo deis rollback v2
check "after the rollback the app answers without the value" eventually shows demo "powered by: Deis"
check "git fetch brings the pushed history" in_app demo git fetch -q deis
in_app demo deis ps:scale "$type=2" >/dev/null
