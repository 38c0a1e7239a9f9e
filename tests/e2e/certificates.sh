# SPDX-License-Identifier: MIT
# A certificate by itself, from a real ACME server (Pebble) whose own certificate is a private authority's.

acme=$work/acme
acme_port=${E2E_ACME_PORT:-14000}
mkdir -p "$acme"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=authority \
    -addext subjectAltName=DNS:localhost -keyout "$acme/key.pem" -out "$acme/ca.pem" 2>/dev/null
jq -n --arg dir "$acme" --argjson port "$acme_port" --argjson http "$http_port" '{pebble: {
    listenAddress: "127.0.0.1:\($port)", managementListenAddress: "127.0.0.1:\($port + 1)",
    certificate: "\($dir)/ca.pem", privateKey: "\($dir)/key.pem", httpPort: $http, tlsPort: 1}}' >"$acme/config.json"
timeout 900 pebble-challtestsrv -http01 '' -https01 '' -tlsalpn01 '' -defaultIPv6 '' -dns01 "127.0.0.1:$((acme_port + 2))" \
    -management "127.0.0.1:$((acme_port + 3))" >"$acme/log.dns" 2>&1 &
dns_pid=$!
PEBBLE_VA_NOSLEEP=1 timeout 900 pebble -config "$acme/config.json" -dnsserver "127.0.0.1:$((acme_port + 2))" >"$acme/log" 2>&1 &
pebble_pid=$!
acme_root() { curl -sf -m 5 --cacert "$acme/ca.pem" "https://localhost:$((acme_port + 1))/roots/0" >"$acme/root.pem"; }
check "an ACME server runs" eventually acme_root

served() {
    curl -sf -m 10 --cacert "$acme/root.pem" --resolve "shop.example.org:$https_port:127.0.0.1" "https://shop.example.org:$https_port/"
}
check "without the operator's consent there is no certs:auto" fail_with acme/agree in_app demo deis certs:auto shop.example.org
check "deisctl config controller set acme/..." deisctl config controller set acme/agree=true \
    "acme/directory=https://localhost:$acme_port/dir" "acme/ca=$acme/ca.pem" acme/contact=ops@example.com acme/retry=5s
check "deis certs:auto" eventually in_app demo deis certs:auto shop.example.org
check "the domain answers over HTTPS with a certificate of that authority" until_true 120 served
check "deis certs:info tells when it ends" eventually run_with "issued" in_app demo deis certs:info shop.example.org
check "deis certs:auto:off" in_app demo deis certs:auto:off shop.example.org
not_served() { ! served; }
check "the certificate is gone" eventually not_served
deisctl config controller rm acme/agree acme/directory acme/ca acme/contact acme/retry >/dev/null
kill "$pebble_pid" "$dns_pid"
wait "$pebble_pid" "$dns_pid" 2>/dev/null
