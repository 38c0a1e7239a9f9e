# SPDX-License-Identifier: MIT
# An app that installs a package from npm in its Docker build.

if ! command -v npm >/dev/null; then
    skip "the Node.js example: npm is not installed"
elif ! timeout 60 npm ping >/dev/null 2>&1; then
    skip "the Node.js example: no npm registry answers"
else
    check "the base image of the Node.js example" "$root/examples/bases/node/build"
    cp -R "$root/examples/node" "$work/node"
    git -C "$work/node" init -q -b master
    git -C "$work/node" add .
    git -C "$work/node" commit -qm "first"
    in_app node deis create node >/dev/null
    check "git push of the Node.js example" run_with "node:v2 deployed" in_app node git push deis master
    check "the Node.js example answers" shows node "release: v2"
    check "the Node.js example gets a config value" run_with "v3" in_app node deis config:set POWERED_BY=npm
    check "the Node.js example shows it" eventually shows node "powered by: npm"
    check "destroying the Node.js example" in_app node deis destroy --confirm=node
fi
