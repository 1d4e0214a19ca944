#!/bin/sh
# Install the published clients that the tests here run against the gateway and against the fake Slack.
# Quick when all is there. What cannot be installed is said and left out: its tests then skip, or fail where
# RCEX_REQUIRE_PEERS=1 demands them.
cd "$(dirname "$0")" || exit 1

note() { printf 'peers: %s\n' "$*"; }

# A copy of the wanted versions is left beside what was installed: equal means done.
if cmp -s node/package.json node/node_modules/.installed; then
    note "npm clients: already installed"
elif ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    note "npm clients: SKIPPED, node and npm are not on the PATH"
elif (cd node && npm install --no-package-lock --no-audit --no-fund --loglevel=error) &&
    cp node/package.json node/node_modules/.installed; then
    note "npm clients: installed"
else
    note "npm clients: SKIPPED, npm install failed (see above)"
fi

python=${PYTHON:-python3}
if cmp -s python/requirements.txt python/.venv/.installed; then
    note "Python SDK: already installed"
elif ! command -v "$python" >/dev/null; then
    note "Python SDK: SKIPPED, $python is not on the PATH"
elif "$python" -m venv --clear python/.venv &&
    python/.venv/bin/python -m pip install --quiet --disable-pip-version-check -r python/requirements.txt &&
    cp python/requirements.txt python/.venv/.installed; then
    note "Python SDK: installed"
else
    note "Python SDK: SKIPPED, its installation failed (see above)"
fi
