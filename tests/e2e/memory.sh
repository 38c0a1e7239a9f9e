# SPDX-License-Identifier: MIT
# What the six services need.

until_true 30 deisctl status
"$root/tests/bench/memory" | tee "$work/memory.txt" | sed 's/^/# /'
total=$(awk '$1 == "total" { print $2 }' "$work/memory.txt")
check "the six services need at most 30 MB PSS together" awk -v t="$total" 'BEGIN { exit !(t > 0 && t <= 30) }'
