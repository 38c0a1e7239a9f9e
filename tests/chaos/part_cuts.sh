# SPDX-License-Identifier: MIT
# Packs that end in the middle.

new_app cut
check "the app's first push" push cut
# Row 5, 50: a client, or the builder, that goes away in the middle of a pack.
cat >"$work/cutter" <<TXT
#!/bin/sh
{ head -c "\$CUT_AT"; until [ -e "$work/out/cut" ]; do sleep 0.05; done; } | $GIT_SSH_COMMAND "\$@"
TXT
chmod +x "$work/cutter"
old=$(master_of cut)
head -c 2000000 /dev/urandom >"$work/apps/cut/large"
change_app cut
: >"$work/out/cut"
for at in 0 1 4 100 150 200 $((300 + $(random 1000))) $((1000 + $(random 1000000))); do
    GIT_SSH_VARIANT=ssh GIT_SSH_COMMAND=$work/cutter CUT_AT=$at push cut >"$work/out/push" 2>&1 && not_ok "a push cut at byte $at must fail"
    [ "$old" = "$(master_of cut)" ] || not_ok "a push cut at byte $at leaves the ref"
done
rm "$work/out/cut"
GIT_SSH_VARIANT=ssh GIT_SSH_COMMAND=$work/cutter CUT_AT=1000000 begin push push cut
incoming() { find "$work/data/builder/repos/cut.git/objects" -name 'tmp_objdir-incoming-*' | grep -q .; }
check "half a pack has come" until_true 20 incoming
kill_9 builder
: >"$work/out/cut"
end_of push && not_ok "a push of which half was received must fail"
check "cut packs leave the ref" test "$old" = "$(master_of cut)"
git -C "$work/apps/cut" reset -q --hard HEAD~1
change_app cut
check "the next push works" until_true 20 push cut
invariants "cut packs"

destroy cut
