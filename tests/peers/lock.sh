#!/bin/sh
# Make the lock files that setup.sh installs from, after a version was changed here or in a package.json. They name
# no registry: whoever installs asks their own, and the hashes say whether it gave the right thing.
# Needs npm and uv.
set -eu
cd "$(dirname "$0")"

for package in */package.json; do
    (cd "${package%/*}" &&
        npm install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund)
done

# Write a file of requirements: its name, what it is for, the versions wanted.
lock() {
    file=$1 text=$2
    shift 2
    {
        printf '# %s Made by tests/peers/lock.sh.\n' "$text"
        printf '%s\n' "$@" |
            uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-header --no-annotate -
    } >"$file.new"
    mv "$file.new" "$file"
}

lock python/requirements.txt "The published Python client, for test_python_sdk.py; it pins websockets 15." ringcentral==0.9.2
lock python/build.txt "What builds \`observable\`, which is published as source alone." setuptools==80.9.0 wheel==0.45.1
lock hermes/requirements.txt "A published chat agent, for test_hermes.py." hermes-ringcentral==2026.6.7
lock slack_sdk/requirements.txt "Slack's Python SDK and what its \`rtm\` needs, for test_slack_sdk.py." slack-sdk==3.48.0 aiohttp==3.14.5
