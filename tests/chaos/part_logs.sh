# SPDX-License-Identifier: MIT
# Row 10: an app prints numbered lines while those who carry them are killed. None may be lost, doubled or out of order.

lines_wanted=${CHAOS_LINES:-5000}
new_app printer
cat >"$work/apps/printer/print" <<'TXT'
#!/bin/sh
/app/start &
i=0
while [ "$i" -lt "$1" ]; do
    i=$((i + 1))
    echo "numbered line $i"
    [ $((i % 100)) != 0 ] || sleep 0.2
done
wait
TXT
chmod +x "$work/apps/printer/print"
printf 'FROM %s\nCOPY . /app\nEXPOSE 5000\nCMD ["/app/print","%s"]\n' "$base_image" "$lines_wanted" >"$work/apps/printer/Dockerfile"
change_app printer
check "the printer is deployed" push printer
for s in logger logger scheduler logger controller scheduler logger; do
    nap $((400 + $(random 900)))
    kill_9 "$s"
done
container=$(docker ps -q --filter "label=deis.agent=$machine" --filter label=deis.app=printer)
printed() { [ "$(docker logs "$container" 2>/dev/null | grep -c 'numbered line')" = "$lines_wanted" ]; }
check "the app has printed its lines" until_true 60 printed
seq "$lines_wanted" >"$work/out/wanted"
read_lines() { api_get "/apps/printer/logs?log_lines=$((lines_wanted * 2))" | sed -n 's/.*numbered line \([0-9]*\)$/\1/p'; }
all_there() { [ "$(read_lines | wc -l)" -ge "$lines_wanted" ]; }
check "all lines are there within 20 s" until_true 20 all_there
nap 1000 # for one that might come twice
read_lines >"$work/out/got"
check "$lines_wanted lines, none lost, none doubled, in order" diff "$work/out/wanted" "$work/out/got"
foreign() { ! api_get "/apps/steady/logs?log_lines=10000" | grep 'numbered line'; }
check "no line is under another app" foreign
destroy printer
invariants "lines of a printer"
