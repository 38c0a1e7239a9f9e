# SPDX-License-Identifier: MIT
# The web application firewall in the router's container: its module, libraries and rules are there and work.

probe() {
    curl -s -m 30 -o /dev/null -w '%{http_code}' -H "Host: demo.$domain" \
        "http://127.0.0.1:$http_port/?id=1%27%20UNION%20SELECT%20password%20FROM%20users--%20"
}
probe_gets() { contains "$(probe)" "$1"; }
check "without a firewall a probe reaches the app" probe_gets 200
check "deisctl config router set firewall/enabled" deisctl config router set firewall/enabled=true
check "a probe gets 400" eventually probe_gets 400
check "its line names the rules" eventually run_with rules= in_app demo deis logs
check "all else is served" run_with "powered by" get demo
check "deisctl config router set firewall/errorCode" deisctl config router set firewall/errorCode=418
check "a probe gets that" eventually probe_gets 418
check "deis routing:set firewall=false" in_app demo deis routing:set firewall=false
check "the app is out of it" eventually probe_gets 200
check "deis routing:unset firewall" in_app demo deis routing:unset firewall
check "the app is in it" eventually probe_gets 418
deisctl config router rm firewall/enabled firewall/errorCode >/dev/null
check "switched off, a probe reaches the app" eventually probe_gets 200
