# SPDX-License-Identifier: MIT
# What must hold once a fault is over: reads etcd, the Engine, the router's table, the builder's and the registry's
# folders. Each inv_* prints what is wrong, nothing when all is well. Source it; needs rig.sh.

# state.json: every document below /deis/ by key; engine.json: every container that our agent or a build of ours made.
take_snapshot() {
    local ids
    ETCDCTL_API=3 etcdctl --endpoints "$etcd_url" get --prefix /deis/ -w json >"$work/snap.raw" || return 1
    jq '[.kvs[]? | {key: (.key | @base64d | ltrimstr("/deis/")), value: (.value // "" | @base64d | (fromjson? // .))}]
        | from_entries' "$work/snap.raw" >"$work/state.json" || return 1
    ids=$(docker ps -aq --filter "label=deis.chaos=$rig_id")
    if [ -n "$ids" ]; then
        # shellcheck disable=SC2086
        docker inspect $ids >"$work/engine.raw" 2>/dev/null # one may have gone since
    else
        echo '[]' >"$work/engine.raw"
    fi
    jq --arg net "$network" '[.[] | {id: .Id, labels: .Config.Labels, running: .State.Running,
        address: (.NetworkSettings.Networks[$net].IPAddress // "")}]' "$work/engine.raw" >"$work/engine.json" || return 1
    curl -sf -m 5 "http://127.0.0.1:$metrics_port/routes" >"$work/routes.json"
}

# I1: the Engine runs what the newest formation says, no more, no less; the formation is of the newest release.
inv_units() {
    jq -rn --slurpfile s "$work/state.json" --slurpfile e "$work/engine.json" '
        ($s[0] | with_entries(select(.key | startswith("formations/"))) | [.[]]) as $formations
        | [$formations[] | . as $f | (.processes // {}) | to_entries[] | .key as $type | range(.value.count) | . + 1
            | "\($f.app) v\($f.release) \($type).\(.)"] as $want
        | [$e[0][] | select(.labels["deis.agent"] and (.labels["deis.run"] | not) and .running)
            | .labels | "\(.["deis.app"]) v\(.["deis.release"]) \(.["deis.type"]).\(.["deis.num"])"] as $have
        | (($want - $have)[] | "I1 not running: \(.)"),
          (($have - $want)[] | "I1 running, not wanted: \(.)"),
          (if ($have | length) != ($have | unique | length) then "I1 running twice: \($have | group_by(.) | map(select(length > 1)[0]))" else empty end),
          ($e[0][] | select(.labels["deis.agent"] and (.running | not)) | "I1 a container that ended is left: \(.labels["deis.unit"] // .labels["deis.run"])"),
          ($formations[] | . as $f | $s[0]["apps/\(.app)"] | select(. == null or .latest != $f.release)
            | "I1 formation of \($f.app) is of v\($f.release), newest release v\(.latest)")'
    # The units in etcd are those of the Engine, and each has a state.
    jq -rn --slurpfile s "$work/state.json" --slurpfile e "$work/engine.json" --arg m "$machine" '
        [$s[0] | keys[] | select(startswith("units/")) | ltrimstr("units/")] as $units
        | [$s[0] | keys[] | select(startswith("states/\($m)/")) | ltrimstr("states/\($m)/")] as $states
        | [$e[0][] | .labels["deis.unit"] // empty] as $containers
        | (($units - $states)[] | "I1 unit without a state: \(.)"), (($states - $units)[] | "I8 state without a unit: \(.)"),
          (($containers - $units)[] | "I8 container without a unit: \(.)"),
          ($s[0] | keys[] | select(startswith("drained/")) | select((split("/")[2:] | join("/")) as $u | $units | index($u) | not)
            | "I8 \(.) is left")'
}

# I2: release numbers without gap or repeat; the app's own note of the newest is right.
inv_releases() {
    jq -r '. as $s | keys[] | select(test("^apps/[^/]+$")) | ltrimstr("apps/") as $app
        | [$s | keys[] | select(startswith("apps/\($app)/releases/"))] as $keys
        | [$keys[] | $s[.].version] as $numbers
        | (if $numbers != [range(1; ($numbers | length) + 1)] then "I2 \($app) has the releases \($numbers)" else empty end),
          (if ($keys | map(split("/")[3] | tonumber)) != $numbers then "I2 keys and versions of \($app) differ" else empty end),
          (if $s["apps/\($app)"].latest != ($numbers | length) then "I2 \($app): latest is \($s["apps/\($app)"].latest), releases \($numbers | length)" else empty end),
          ([$keys[] | $s[.].uuid] | if length != (unique | length) then "I2 \($app): a uuid twice" else empty end),
          ($keys[] | $s[.] | select(.build and ($s["apps/\($app)/builds/\(.build)"] | not)) | "I2 \($app) v\(.version): its build is missing"),
          ($keys[] | $s[.] | select(.config and ($s["apps/\($app)/configs/\(.config)"] | not)) | "I2 \($app) v\(.version): its config is missing")' \
        "$work/state.json"
    # Below apps/ nothing of an app that is gone.
    jq -r '. as $s | keys[] | select(test("^(apps|formations|rollouts|operations)/")) | split("/")[1] as $app
        | select($s["apps/\($app)"] | not) | "I8 \(.) without its app"' "$work/state.json"
}

# I3: the router's table is exactly the ready units, each with the address of its own container.
inv_routes() {
    jq -rn --slurpfile s "$work/state.json" --slurpfile e "$work/engine.json" --slurpfile r "$work/routes.json" '
        ([$e[0][] | select(.running) | {key: .id, value: .}] | from_entries) as $containers
        | [$s[0] | to_entries[] | select(.key | startswith("states/")) | .value
            | select(.ready and .state == "up" and $s[0]["units/\(.unit)"].routable and $s[0]["units/\(.unit)"].desired == "run")] as $ready
        | [$ready[] | "\(.app) \(.unit) \(.address)"] as $want
        | [$r[0].apps[] | select(.platform | not) | .app as $app | .endpoints[] | "\($app) \(.unit) \(.address)"] as $have
        | (($want - $have)[] | "I3 not routed: \(.)"), (($have - $want)[] | "I3 routed, not ready: \(.)"),
          ($ready[] | . as $u | $containers[.container] | if . == null then "I3 ready without a container: \($u.unit)"
            elif .labels["deis.app"] != $u.app or (.address != ($u.address | split(":")[0])) then "I3 \($u.unit) has the address of another" else empty end)'
}

# I7: master of each repository is a commit that git can read; it is the newest release that was made by a push.
inv_git() {
    local repo app head sha
    for repo in "$work"/data/builder/repos/*.git; do
        [ -d "$repo" ] || continue
        app=$(basename "$repo" .git)
        jq -e --arg k "apps/$app" 'has($k)' "$work/state.json" >/dev/null || {
            echo "I8 repository of the app $app, which is gone"
            continue
        }
        git -c safe.directory='*' --git-dir "$repo" fsck --no-dangling --no-progress 2>&1 | sed "s/^/I7 fsck of $app: /" | grep -v 'notice:'
        head=$(git -c safe.directory='*' --git-dir "$repo" rev-parse -q --verify refs/heads/master)
        sha=$(jq -r --arg app "$app" '. as $s | [keys[] | select(startswith("apps/\($app)/releases/"))] | map($s[.])
            | map($s["apps/\($app)/builds/\(.build)"].sha // empty) | last // ""' "$work/state.json")
        [ "$head" = "$sha" ] || echo "I7 $app: master is ${head:-none}, the newest release was made of ${sha:-none}"
        unsettled_apps | grep -qx "$app" || find "$repo" \( -name 'incoming-*' -o -name 'tmp_*' -o -name '*.lock' \) | sed 's/^/I8 left in a repository: /'
    done
}

# A deploy of which etcd has no trace: its request may still come for two minutes after its builder died.
unsettled() { # RECORD
    jq -e '.phase == 2' "$1" >/dev/null 2>&1 && [ $(($(date +%s) - $(stat -c %Y "$1"))) -lt 150 ]
}
# The apps with such a build.
unsettled_apps() {
    local record
    for record in "$work"/data/builder/builds/*; do
        [ -e "$record" ] && unsettled "$record" && jq -r .app "$record"
    done
}

# I8: no orphans.
inv_orphans() {
    jq -r 'keys[] | select(startswith("operations/")) | "I8 \(.) is not over"' "$work/state.json"
    jq -r '.[] | select(.labels["deis.agent"] | not) | "I8 container of a build: \(.id)"' "$work/engine.json"
    find "$work/data/builder/builds" -type f | while read -r tag; do
        unsettled "$tag" || echo "I8 build on record: $tag"
    done
    [ ! -d "$work/data/registry-proxy/uploads" ] || ls "$work/data/registry-proxy/uploads" | sed 's/^/I8 upload left: /'
    # A tag that no build in etcd knows.
    local tag app repos=$work/data/registry-proxy/repos
    for tag in "$repos"/*/_tags/*; do
        [ -e "$tag" ] || continue
        app=${tag#"$repos"/}
        app=${app%%/*}
        ! unsettled_apps | grep -qx "$app" || continue
        jq -e --arg p "apps/$app/builds/" --arg d "$(cat "$tag")" \
            '[to_entries[] | select((.key | startswith($p)) and (.value.image | endswith($d)))] != []' "$work/state.json" >/dev/null ||
            echo "I8 image of no release: $app:$(basename "$tag")"
    done
}

inv_all() {
    local wrong
    take_snapshot 2>/dev/null || { echo "no snapshot"; return 1; }
    wrong=$(inv_units; inv_releases; inv_routes; inv_git; inv_orphans)
    [ -z "$wrong" ] || { printf '%s\n' "$wrong"; return 1; }
}

# invariants WHAT [SECONDS]: they hold, within a time for what is still under way.
invariants() {
    local started
    started=$(now_ms)
    check "invariants after: $1" until_true "${2:-$settle}" inv_all && note "settled after $(($(now_ms) - started)) ms"
}

# I6: no secret of this run in what the services wrote. To be called at the end.
inv_secrets() {
    local wrong
    wrong=$(grep -rl "$canary" "$work/log" "$work/san" "$work/data/etcd" "$work/data/router" "$work/data/scheduler" "$work/data/logger" 2>/dev/null)
    [ -z "$wrong" ] || { echo "I6 a secret is in: $wrong"; return 1; }
}

# No sanitizer has said anything, in a file of its own or in what a client got to see.
sanitizers_silent() {
    local wrong
    wrong=$(find "$work/san" -type f -size +0
        grep -lE 'Sanitizer: |runtime error: ' -r "$work/log" "$work/out" 2>/dev/null)
    [ -z "$wrong" ] || {
        # shellcheck disable=SC2086
        head -n 40 $wrong
        return 1
    }
}
# Only our kills (137) and orderly ends (0, 143) have ended a service.
ends_expected() {
    local f wrong
    wrong=$(for f in "$work"/run/*.ends; do grep -vxE '0|137|143' "$f" | sed "s|^|$(basename "$f") |"; done)
    [ -z "$wrong" ] || { echo "$wrong"; tail -n 5 "$work"/log/*; return 1; }
}
