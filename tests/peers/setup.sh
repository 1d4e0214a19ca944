#!/bin/sh
# Install the published clients that the tests here run against the gateway, the fake Slack and Feedme: exactly what
# their lock files say, by hash, and no script of a package is run. `lock.sh` makes these files.
# Quick when all is there. What cannot be installed is said and left out: its tests then skip, or fail where
# RCEX_REQUIRE_PEERS=1 demands them.
cd "$(dirname "$0")" || exit 1

note() { printf 'peers: %s\n' "$*"; }

# A copy of the wanted versions is left beside what was installed: equal means done.
for lock in */package-lock.json; do
    peer=${lock%/*}
    if cmp -s "$lock" "$peer/node_modules/.installed"; then
        note "$peer: already installed"
    elif ! command -v node >/dev/null || ! command -v npm >/dev/null; then
        note "$peer: SKIPPED, node and npm are not on the PATH"
    elif (cd "$peer" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) &&
        cp "$lock" "$peer/node_modules/.installed"; then
        note "$peer: installed"
    else
        note "$peer: SKIPPED, npm ci failed (see above)"
    fi
done

# Each Python client has an environment of its own: two of them are called `ringcentral`.
python=${PYTHON:-python3}
for requirements in */requirements.txt; do
    peer=${requirements%/*}
    pip() {
        "$peer/.venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
            --no-build-isolation "$@"
    }
    if cmp -s "$requirements" "$peer/.venv/.installed"; then
        note "$peer: already installed"
    elif ! command -v "$python" >/dev/null; then
        note "$peer: SKIPPED, $python is not on the PATH"
    elif "$python" -m venv --clear "$peer/.venv" &&
        { [ ! -f "$peer/build.txt" ] || pip -r "$peer/build.txt"; } &&
        pip -r "$requirements" &&
        cp "$requirements" "$peer/.venv/.installed"; then
        note "$peer: installed"
    else
        note "$peer: SKIPPED, its installation failed (see above)"
    fi
done
