# SPDX-License-Identifier: MIT
# The programs of a running platform replaced by those of this source tree. deploy/quickstart sources it.

find_platform() {
    [ -n "$platform" ] || die "no platform runs here; deploy/quickstart starts one"
    running router || die "the container deis-router does not run; start it, or the platform, first"
    [ -e "$data/.deis-data" ] || die "$data is not the platform's data folder"
}

# is_old COMPONENT: its container runs another image than the one just built, or the component was named.
is_old() {
    case ",$upgrade_named," in
    *",$1,"*) return 0 ;;
    esac
    [ -z "$upgrade_named" ] &&
        [ "$(docker inspect -f '{{.Image}}' "deis-$1" 2>/dev/null)" != "$(docker image inspect -f '{{.Id}}' "deis/$1:dev")" ]
}

# The routers that went before and have ended.
remove_ended_routers() {
    for id in $(docker ps -aq --filter label=deis.component=router --filter name=deis-router-leaving- --filter status=exited); do
        docker rm "$id" >/dev/null
    done
}

# The new router takes the sockets from the old one, which ends by itself: no connection is lost. It keeps
# its container until the next upgrade, for its log.
upgrade_router() {
    old=deis-router-leaving-$(docker inspect -f '{{slice .Id 0 12}}' deis-router)
    docker update --restart no deis-router >/dev/null
    docker rename deis-router "$old"
    say "router: a new one takes over"
    (start_all) || true
    if ! (wait_for 30 "the new router" has_left "$old") 2>/dev/null; then
        docker logs --tail 5 deis-router >&2 2>/dev/null || true
        docker rm -f deis-router >/dev/null 2>&1 || true
        docker rename "$old" deis-router
        docker update --restart always deis-router >/dev/null
        die "the new router does not start; the old one serves on"
    fi
    if running "${old#deis-}"; then
        say "router: the one before finishes its connections in the container $old"
    fi
}

upgrade() {
    find_platform
    build_all
    remove_ended_routers
    for c in $components; do
        case $c in
        etcd | router) continue ;;
        esac
        if is_old "$c"; then
            say "$c: a new one starts"
            docker stop -t 30 "deis-$c" >/dev/null 2>&1 || true
            docker rm "deis-$c" >/dev/null 2>&1 || true
            start_all
        fi
    done
    if is_old router; then
        upgrade_router
    fi
    start_all
    # The images that went before; those of containers that are still there stay.
    docker image prune -f --filter label=deis.platform >/dev/null
}
