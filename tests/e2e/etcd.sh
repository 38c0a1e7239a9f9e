# SPDX-License-Identifier: MIT
# etcd gone for a while, under load.

seconds=${E2E_ETCD_SECONDS:-120}
units_before=$(docker ps -q --filter "label=deis.agent=$(cat "$data/scheduler/machine-id")" --no-trunc | sort)
load_start demo 50 etcd
docker stop -t 5 deis-etcd >/dev/null
stopped=$(now_ms)
api_503() {
    local out
    out=$(curl -s -m 30 -w ' %{http_code} %{time_total}' -H 'Content-Type: application/json' -d '{"username":"dev","password":"secret-dev"}' \
        -H "Host: deis.$domain" "http://127.0.0.1:$http_port/v1/auth/login/")
    contains "$out" " 503 " && contains "$out" '"detail"' && echo "$out" | awk '{ exit !($NF < 1) }'
}
check "without etcd the API answers 503 with a reason at once" api_503
while [ $(($(now_ms) - stopped)) -lt $((seconds * 1000)) ]; do sleep 1; done # the length of the outage is the test
check "still so after $seconds s" api_503
check "no container has stopped" test "$units_before" = "$(docker ps -q --filter "label=deis.agent=$(cat "$data/scheduler/machine-id")" --no-trunc | sort)"
docker start deis-etcd >/dev/null
started=$(now_ms)
well() { deisctl status && in_app demo deis ps:list; }
check "all is well within 10 s after etcd is back" until_true 10 well
note "after $(($(now_ms) - started)) ms (of 10000)"
check "a config change works again" in_app demo deis config:set AFTER=etcd
load_stop "no request failed without etcd"
