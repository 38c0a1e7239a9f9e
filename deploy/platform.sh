# SPDX-License-Identifier: MIT
# A platform that is there already, running or not: where its data, its ports and its domain are. deploy/quickstart sources it.

default_data=/var/lib/deis

# ids LABEL: ids of the containers with that label.
ids() { docker ps -aq --filter "label=$1"; }

running() { [ "$(docker inspect -f '{{.State.Running}}' "deis-$1" 2>/dev/null)" = true ]; }

# has_left ROUTER: it has handed its sockets to another one.
has_left() { docker logs "$1" 2>&1 | grep -q "another process has taken over"; }

# serving_router: the container of the router, also in the middle of an upgrade that was cut.
serving_router() {
    if docker inspect deis-router >/dev/null 2>&1; then
        echo deis-router
        return
    fi
    for name in $(docker ps --filter label=deis.component=router --format '{{.Names}}'); do
        has_left "$name" || echo "$name"
    done | head -n 1
}

# router_port OPTION: of the router that is there, "-" for none; nothing when there is no router.
router_port() { printf '%s\n' "$router_args" | sed -n "s/.*--$1 \([^ ]*:\)\{0,1\}\([^ ]*\).*/\2/p"; }

# choose OPTION GIVEN THERE DEFAULT: the value that counts.
choose() {
    [ -z "$2" ] || [ -z "$3" ] || [ "$2" = "$3" ] ||
        die "the platform that is there has $1 $3, not $2 (deploy/quickstart --down removes it)"
    printf '%s\n' "${3:-${2:-$4}}"
}

# settle_options: data and ports of the platform that is there, else those given, else the defaults. Sets $platform
# to one of its containers, or to nothing.
settle_options() {
    platform="" there_data="" router_args=""
    if docker_answers; then
        platform=$(ids deis.component | head -n 1)
    fi
    if [ -n "$platform" ]; then
        there_data=$(docker inspect -f '{{range .Mounts}}{{if eq .Destination "/data"}}{{.Source}}{{end}}{{end}}' "$platform")
        router=$(serving_router)
        [ -z "$router" ] || router_args=$(docker inspect -f '{{join .Args " "}}' "$router")
    fi
    [ "$https_port" != none ] || https_port=-
    data=$(choose --data "$data" "${there_data%/*}" "$default_data")
    http_port=$(choose --http-port "$http_port" "$(router_port http)" 80)
    https_port=$(choose --https-port "$https_port" "$(router_port https)" "")
    ssh_port=$(choose --ssh-port "$ssh_port" "$(router_port ssh)" 2222)
    cli_home=$data/quickstart
}

# settle_domain: once etcd runs.
settle_domain() {
    there=$(docker exec -e ETCDCTL_API=3 deis-etcd etcdctl get --print-value-only /deis/config/platform/domain) ||
        die "etcd does not say which domain the platform has; see: docker logs deis-etcd"
    domain=$(choose --domain "$domain" "$there" localhost)
    controller=deis.$domain
    api=http://$controller
    [ "$http_port" = 80 ] || api=$api:$http_port
}

# mend_cut_upgrade: an upgrade that was cut has left the router under another name, or such that nobody starts it again.
mend_cut_upgrade() {
    router=$(serving_router)
    [ -n "$router" ] || return 0
    [ "$router" = deis-router ] || docker rename "$router" deis-router
    [ "$(docker inspect -f '{{.HostConfig.RestartPolicy.Name}}' deis-router)" = always ] ||
        docker update --restart always deis-router >/dev/null
}
