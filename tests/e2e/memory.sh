# SPDX-License-Identifier: MIT
# What the six services need.

eventually deisctl status
"$root/tests/bench/memory" | tee "$work/memory.txt" | sed 's/^/# /'
total=$(awk '$1 == "total" { print $2 }' "$work/memory.txt")
check "the six services need at most 30 MB PSS together" awk -v t="$total" 'BEGIN { exit !(t > 0 && t <= 30) }'
token=$(jq -r .token "$HOME/.deis/client.json")
measure_100() { "$root/tests/bench/memory" --apps 100 http://127.0.0.1:8000 "$token" 2>&1 | tee "$work/memory-100.txt"; return "${PIPESTATUS[0]}"; }
check "100 apps come, and go again" measure_100
sed 's/^/# /' "$work/memory-100.txt"
total=$(awk '$1 == "total" { print $2 }' "$work/memory-100.txt")
check "with 100 apps and 300 units known they need at most 48 MB" awk -v t="${total:-0}" 'BEGIN { exit !(t > 0 && t <= 48) }'
