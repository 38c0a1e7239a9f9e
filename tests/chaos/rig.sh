# SPDX-License-Identifier: MIT
# The platform as plain processes, each started again when it ends. Source it; needs lib.sh, $bin, $root, $work.
# Runs in a mount and PID namespace of its own (tests/chaos/run): its end is the end of everything here.

services="controller logger registry-proxy scheduler builder router"
rig_id=chaos$(printf '%s' "$work" | cksum | cut -d' ' -f1)
machine=$rig_id
domain=$rig_id.test
base_image=deis-$rig_id/web:1
network=deis-$rig_id

# Twelve ports that nobody listens on.
choose_ports() {
    local taken base p free
    taken=" $(ss -ltnH | awk '{ sub(/.*:/, "", $4); print $4 }' | tr '\n' ' ')"
    while :; do
        base=$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 10000))
        free=1
        for p in $(seq "$base" $((base + 11))); do
            case $taken in *" $p "*) free=0 ;; esac
        done
        [ "$free" = 0 ] || break
    done
    etcd_port=$base peer_port=$((base + 1)) api_port=$((base + 2)) bus_controller=$((base + 3))
    bus_logger=$((base + 4)) bus_scheduler=$((base + 5)) registry_port=$((base + 6)) git_port=$((base + 7))
    http_port=$((base + 8)) ssh_port=$((base + 9)) metrics_port=$((base + 10))
    registry=127.0.0.1:$registry_port
    api_url=http://127.0.0.1:$api_port
    etcd_url=http://127.0.0.1:$etcd_port
}

make_world() {
    mkdir -p "$work"/{run,log,san,data,home/.ssh,apps}
    chmod 755 "$work" "$work/data"
    chmod 1777 "$work/san"
    mount -t tmpfs -o mode=755 tmpfs /mnt
    mkdir /mnt/bin
    cp "$bin/deis-builder" /mnt/bin/
    cat >/mnt/passwd <<TXT
root:x:0:0:root:$work/home:/bin/sh
sshd:x:100:65534::/run/sshd:/usr/sbin/nologin
git:x:7001:7000:git:$work/data/builder:/bin/sh
TXT
    mount --bind /mnt/passwd /etc/passwd
    openssl rand -hex 32 >"$work/cluster.key"
    chown 0:7000 "$work/cluster.key"
    chmod 640 "$work/cluster.key"
    for s in etcd $services; do
        mkdir "$work/data/$s"
        chmod 700 "$work/data/$s"
    done
    chown 7001:7000 "$work/data/builder"
    docker_gid=$(stat -c %g /var/run/docker.sock)
    docker_root=$(docker info -f '{{.DockerRootDir}}')
}

# The example's base image under a name and a label of our own: nobody else's cleaning takes it away.
make_base() {
    local had container
    had=$(docker images -q deis/web:1)
    "$root/examples/bases/web/build" >/dev/null || return 1
    container=$(docker create --label "deis.chaos=$rig_id" deis/web:1) || return 1
    docker export "$container" | docker import -c 'ENV PATH=/bin' -c 'WORKDIR /app' -c 'CMD ["/bin/sh"]' \
        -c "LABEL deis.chaos=$rig_id" - "$base_image" >/dev/null || return 1
    docker rm "$container" >/dev/null
    [ -n "$had" ] || docker rmi deis/web:1 >/dev/null
}

command_of() { # SERVICE: its command line, one word a line
    local common="--etcd $etcd_url --cluster-key $work/cluster.key --instance chaos"
    case $1 in
    etcd) echo "etcd --name chaos --data-dir $work/data/etcd --listen-client-urls $etcd_url
        --advertise-client-urls $etcd_url --listen-peer-urls http://127.0.0.1:$peer_port
        --initial-advertise-peer-urls http://127.0.0.1:$peer_port --initial-cluster chaos=http://127.0.0.1:$peer_port
        --logger zap --log-level warn" ;;
    controller) echo "$bin/deis-controller $common --http 127.0.0.1:$api_port --bus tcp://127.0.0.1:$bus_controller
        --registry $registry" ;;
    logger) echo "$bin/deis-logger $common --bus tcp://127.0.0.1:$bus_logger --data $work/data/logger" ;;
    registry-proxy) echo "$bin/deis-registry-proxy $common --http $registry
        --data $work/data/registry-proxy" ;;
    scheduler) echo "$bin/deis-scheduler $common --bus tcp://127.0.0.1:$bus_scheduler --data-dir $work/data/scheduler
        --machine-id $machine --network $network --registry $registry --docker-root $docker_root --components=" ;;
    builder) echo "unshare --mount --pid --fork --kill-child --mount-proc setpriv --reuid 7001 --regid 7000
        --groups $docker_gid --pdeathsig KILL /mnt/bin/deis-builder serve $common --ssh 127.0.0.1:$git_port
        --data $work/data/builder --registry $registry" ;;
    router) echo "$bin/deis-router $common --http 127.0.0.1:$http_port --ssh 127.0.0.1:$ssh_port
        --metrics 127.0.0.1:$metrics_port --data $work/data/router --workers 2" ;;
    esac
}

# Start it again whenever it ends, until $work/run/<service>.down is there.
supervise() {
    local name=$1 pid status
    # shellcheck disable=SC2046
    set -- $(command_of "$1")
    export ASAN_OPTIONS="detect_leaks=1:allow_user_segv_handler=0:log_path=$work/san/$name"
    export UBSAN_OPTIONS="print_stacktrace=1:log_path=$work/san/$name"
    while [ ! -e "$work/run/stop" ]; do
        if [ -e "$work/run/$name.down" ]; then
            sleep 0.05
            continue
        fi
        "$@" >>"$work/log/$name" 2>&1 &
        pid=$!
        echo "$pid" >"$work/run/$name.pid.new"
        mv "$work/run/$name.pid.new" "$work/run/$name.pid"
        wait "$pid" 2>/dev/null
        status=$?
        rm -f "$work/run/$name.pid"
        echo "$status" >>"$work/run/$name.ends"
        [ "$status" = 137 ] || sleep 0.2 # something else than our kill: not in a hot loop
    done
}

pid_of() { cat "$work/run/$1.pid" 2>/dev/null; }

kill_9() {
    local pid
    until pid=$(pid_of "$1"); do sleep 0.02; done
    kill -9 "$pid" 2>/dev/null
}
hold_down() { # SERVICE: kill it and let it lie
    : >"$work/run/$1.down"
    kill_9 "$1"
}
let_up() { rm -f "$work/run/$1.down"; }
stop_cont() { kill -"$2" "$(pid_of "$1")"; }

listens() { [ -n "$(ss -ltnH "sport = :$1")" ]; }
is_up() {
    [ -n "$(pid_of "$1")" ] || return 1
    case $1 in
    etcd) curl -sf -m 1 "$etcd_url/health" ;;
    controller) [ "$(curl -s -o /dev/null -w '%{http_code}' -m 1 "$api_url/v1/")" = 401 ] ;;
    logger) listens "$bus_logger" ;;
    registry-proxy) curl -sf -m 1 "http://$registry/healthz" ;;
    scheduler) listens "$bus_scheduler" ;;
    builder) listens "$git_port" ;;
    router) curl -sf -m 1 "http://127.0.0.1:$metrics_port/healthz" ;;
    esac
}
all_up() {
    local s
    for s in etcd $services; do
        is_up "$s" >/dev/null || { echo "$s is not up"; return 1; }
    done
    deisctl --endpoint "$etcd_url" status
}

start_platform() {
    local s
    supervise etcd &
    until_true 30 is_up etcd || return 1
    deisctl --endpoint "$etcd_url" config platform set "domain=$domain" "httpPort=$http_port" "sshPort=$ssh_port" >/dev/null || return 1
    for s in $services; do supervise "$s" & done
    until_true 60 all_up
}

# What the programs do on SIGTERM is under test too: leaks are reported at the end.
stop_platform() {
    local s pid inner
    : >"$work/run/stop"
    for s in builder router controller scheduler logger registry-proxy; do
        pid=$(pid_of "$s") || continue
        if [ "$s" = builder ]; then
            for inner in $(cat "/proc/$pid/task/$pid/children"); do kill -TERM "$inner"; done
        else
            kill -TERM "$pid"
        fi
    done
    for s in $services; do
        until_true 30 gone "$s" >/dev/null || not_ok "$s ends within 30 s of SIGTERM"
    done
    pid=$(pid_of etcd) && kill -9 "$pid"
}
gone() { [ ! -e "$work/run/$1.pid" ]; }

remove_traces() {
    local found
    found=$(docker ps -aq --filter "label=deis.chaos=$rig_id")
    # shellcheck disable=SC2086
    [ -z "$found" ] || docker rm -fv $found >/dev/null
    found=$(docker network ls -q --filter "label=deis.agent=$machine")
    # shellcheck disable=SC2086
    [ -z "$found" ] || docker network rm $found >/dev/null
    # An image goes after those that are built on it: repeat while there are fewer each time.
    local left before=
    while found=$(docker images -aq --filter "label=deis.chaos=$rig_id" | sort -u) && [ -n "$found" ]; do
        left=$(printf '%s\n' "$found" | wc -l)
        [ "$left" != "$before" ] || break
        before=$left
        # shellcheck disable=SC2086
        docker rmi -f $found >/dev/null 2>&1
    done
}

set_environment() {
    export HOME=$work/home PATH=$bin:$PATH GIT_TERMINAL_PROMPT=0 GIT_CONFIG_NOSYSTEM=1
    export GIT_AUTHOR_NAME=dev GIT_AUTHOR_EMAIL=dev@example.com GIT_COMMITTER_NAME=dev GIT_COMMITTER_EMAIL=dev@example.com
    unset DEIS_PROFILE DEISCTL_ENDPOINT
    export GIT_SSH_COMMAND="ssh -F none -i $HOME/.ssh/id -o IdentitiesOnly=yes -o BatchMode=yes -o UserKnownHostsFile=$HOME/.ssh/known_hosts -o StrictHostKeyChecking=accept-new"
}

make_user() {
    ssh-keygen -q -t ed25519 -N '' -C dev@laptop -f "$HOME/.ssh/id"
    canary=canary$(openssl rand -hex 8)
    deis register "$api_url" --username=dev "--password=$canary-password" --email=dev@example.com >/dev/null || return 1
    deis keys:add "$HOME/.ssh/id.pub" >/dev/null || return 1
    token=$(jq -r .token "$HOME/.deis/client.json")
}
