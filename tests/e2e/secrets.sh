# SPDX-License-Identifier: MIT
# Secrets that are seeded are looked for everywhere, and the cluster key is changed under load.

canary=canary$(openssl rand -hex 12)
saw=$work/secrets
mkdir -p "$saw"
token=$(jq -r .token "$HOME/.deis/client.json")

watch_start "$saw"

# send METHOD PATH: the body is standard input; neither it nor the token is on a command line.
send() {
    printf 'header = "Authorization: token %s"\n' "$token" >"$saw/curlrc"
    curl -s -m 120 -K "$saw/curlrc" -X "$1" -H 'Content-Type: application/json' --data-binary @- "$controller/v1$2" | tee -a "$saw/answers"
}

new_app "$work/vault"
in_app vault deis create vault >/dev/null
check "an app with secrets" run_with "vault:v2" in_app vault git push deis master
printf '{"values":{"SECRET":"%s-config"}}' "$canary" >"$saw/body"
check "a secret value" run_with '"SECRET"' send POST /apps/vault/config/ <"$saw/body"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=vault.example.org \
    -addext subjectAltName=DNS:vault.example.org -keyout "$saw/cert.key" -out "$saw/cert.pem" 2>/dev/null
cert_line=$(sed -n 2p "$saw/cert.key")
jq -n --rawfile c "$saw/cert.pem" --rawfile k "$saw/cert.key" '{certificate: $c, key: $k}' >"$saw/body"
check "a certificate" run_with vault.example.org send POST /certs/ <"$saw/body"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=*.$domain" \
    -addext "subjectAltName=DNS:*.$domain" -keyout "$saw/tls.key" -out "$saw/tls.pem" 2>/dev/null
tls_line=$(sed -n 2p "$saw/tls.key")
export DEISCTL_KEY_FILE=$data/config/cluster.key
check "the platform's certificate" deisctl config router set "sslCert=$saw/tls.pem" "sslKey=$saw/tls.key"
printf '{"username":"vera","password":"%s-password","email":"vera@example.com"}' "$canary" >"$saw/body"
send POST /auth/register/ <"$saw/body" >/dev/null
check "a user logs in" run_with token send POST /auth/login/ <"$saw/body"
user_token=$(tail -n 1 "$saw/answers" | grep -o '"token": *"[^"]*"' | tail -n 1 | cut -d'"' -f4)
: >"$saw/answers" # the answer to a login is the one place for a token
# What is refused is not repeated.
printf '{"values":{"BAD-NAME":"%s-refused"}}' "$canary" >"$saw/body"
send POST /apps/vault/config/ <"$saw/body" >/dev/null
printf '{"certificate":"%s","key":"%s-refused"}' "$canary" "$canary" >"$saw/body"
send POST /certs/ <"$saw/body" >/dev/null
printf '{"username":"vera","password":"%s-wrong"}' "$canary" >"$saw/body"
send POST /auth/login/ <"$saw/body" >/dev/null
printf '{"values":{"SECRET":"%s-cut' "$canary" >"$saw/body"
send POST /apps/vault/config/ <"$saw/body" >/dev/null
sum=$(printf '%s-config' "$canary" | sha256sum | cut -c1-64)
printf '{"command":"printf %%s \\"$SECRET\\" | sha256sum"}' >"$saw/body"
check "the secret is in the app's environment" run_with "$sum" send POST /apps/vault/run <"$saw/body"

change_app "$work/vault"
load_start vault 100 keys
check "deisctl key:rotate under load" run_with "done: nothing needs the old key" deisctl key:rotate --timeout 300
check "a push after it" run_with "vault:v4" in_app vault git push deis master
check "a change after it" run_with "v5" in_app vault deis config:set AFTER=rotation
load_stop "no request failed while the cluster key was changed"
check "deisctl key:list shows one key" test "$(deisctl key:list | grep -c ' seals ')" = 1
check "deisctl status" eventually deisctl status
watch_stop "$saw"

# hidden WHAT TEXT: it is nowhere but where it belongs.
hidden() {
    local what=$1 text=$2 found c
    [ -n "$text" ] || { not_ok "$what: nothing to look for"; return; }
    found=$(
        for c in $(docker ps -aq --filter label=deis.component); do
            docker logs "$c" 2>&1 | grep -qF -e "$text" && echo "the log of $(docker inspect -f '{{.Name}}' "$c")"
            docker inspect "$c" | grep -qF -e "$text" && echo "docker inspect $(docker inspect -f '{{.Name}}' "$c")"
            docker export "$c" | grep -qF -e "$text" && echo "the files of $(docker inspect -f '{{.Name}}' "$c")"
        done
        for c in $(docker images -q --filter label=deis.app=vault | sort -u); do
            { docker history --no-trunc "$c"; docker inspect "$c"; docker save "$c"; } | grep -qF -e "$text" && echo "the image $c"
        done
        docker exec deis-etcd etcdctl get --prefix '' | grep -qF -e "$text" && echo "etcd"
        grep -rlF -e "$text" "$data" --exclude-dir=quickstart --exclude=cluster.key # the CLI's profile; the key itself
        grep -lF -e "$text" "$saw/processes" "$saw/answers"
    )
    if [ -z "$found" ]; then
        ok "$what: nowhere in clear"
    else
        not_ok "$what: nowhere in clear"
        printf '%s\n' "$found" | sed 's/^/#   in /'
    fi
}
hidden "config values" "$canary-config"
hidden "what was refused" "$canary-refused"
hidden "what was cut" "$canary-cut"
hidden "passwords" "$canary-password"
hidden "wrong passwords" "$canary-wrong"
hidden "tokens" "$user_token"
hidden "the token of the CLI" "$token"
hidden "keys of certificates" "$cert_line"
hidden "the platform's TLS key" "$tls_line"
hidden "the cluster key" "$(cut -c1-64 "$data/config/cluster.key")"
deisctl config router rm sslCert sslKey >/dev/null
in_app vault deis destroy --confirm=vault >/dev/null
