#!/usr/bin/env bash
# Run parts of the suite on other Pythons and with other dependencies; `make check` runs all of them.
#
#   tests/matrix/run.sh                      every row
#   tests/matrix/run.sh python3.13 lowest    these
#
# Each row has an environment of its own, .venv-NAME, made once per pyproject.toml by uv, which $PYTHON (or `python3`) has:
# `make check ROWS=lowest` brings it. A Python that the machine does not have is said and left out. $PYTHON is also what the
# rows run that are not about Python itself.
set -euo pipefail
cd "$(dirname "$0")/../.."
rows=("$@")
((${#rows[@]})) || rows=(python3.12 python3.13 no-sniffio lowest websockets-15.0.1 websockets-16.1.1)
python=${PYTHON:-python3}
# What the tests need, from pyproject.toml.
needs=(--editable ".[cli,gateway,redis,socks,trio]" --group test)

# Print the path of a Python by its name: from the PATH, or one that pyenv keeps there only for some folders.
find_python() {
    local found
    for found in "$(command -v "$1")" "$(pyenv root 2>/dev/null)/versions/${1#python}".*/bin/python; do
        if "$found" -c 'import venv, sys; sys.exit("python%d.%d" % sys.version_info[:2] != sys.argv[1])' "$1" 2>/dev/null
        then echo "$found"; return; fi
    done
    return 1
}

# Make the environment of a row: name, Python, and the arguments of each `uv pip install`, up to a `--`.
environment() {
    local venv=.venv-$1 from=$2 arguments=()
    shift 2
    [ "$venv/installed" -nt pyproject.toml ] && return
    echo "Installing $venv ..."
    "$python" -m uv venv --quiet --clear --python "$from" "$venv"
    for argument in "$@" --; do
        if [ "$argument" != -- ]; then
            arguments+=("$argument")
            continue
        fi
        "$python" -m uv pip install --quiet --python "$venv/bin/python" "${arguments[@]}"
        arguments=()
    done
    touch "$venv/installed"
}

# Run tests in the environment of a row, without random inputs: they look for faults of ours.
tests() {
    local venv=.venv-$1
    shift
    "$venv/bin/python" -m pytest -q -n 4 --dist loadfile --no-loadscope-reorder -p no:cacheprovider -m "not hypothesis" "$@"
}

# The part of tests/websocket that depends on other packages, and on what they make of proxies and TLS.
opening=(tests/websocket/test_opener.py tests/websocket/test_socket_frames.py)

run() {
    local found name=$1
    case $name in
    python3.*)
        if ! found=$(find_python "$name"); then
            echo "$name: SKIPPED, this machine does not have it"
            return
        fi
        environment "$name" "$found" "${needs[@]}"
        local parts=(tests/loops tests/test_tasks.py tests/test_garbage.py "${opening[@]}")
        # What differs in 3.12 is how tasks begin and end. Feedme and the broker stand on what runs in 3.13 as well.
        [ "$name" = python3.12 ] || parts+=(tests/testing tests/connection tests/callback tests/wsg)
        tests "$name" "${parts[@]}"
        ;;
    no-sniffio)  # anyio and httpcore use sniffio where it is: here nobody has brought it
        found=$(find_python python3.13 || find_python python3.12 || echo "$python")
        environment "$name" "$found" --editable ".[gateway]" uvloop uvicorn
        if ".venv-$name/bin/python" -c "import sniffio" 2>/dev/null; then
            echo "sniffio is there: some dependency needs it now"
            return 1
        fi
        local client loop loops=(asyncio debug uvloop uvicorn) said
        "$found" -c 'import sys; sys.exit(sys.version_info < (3, 12))' && loops+=(eager)
        for client in extension slack callback feedme; do
            for loop in "${loops[@]}"; do
                said=$(".venv-$name/bin/python" -W error tests/loops/life.py "$loop" --client "$client" 2>&1) ||
                    { echo "$said"; return 1; }
                echo "$client, $loop: passed"
            done
        done
        ;;
    lowest)  # the oldest of each dependency that pyproject.toml names; theirs stay new
        environment "$name" "$python" --resolution lowest-direct "${needs[@]}"
        tests "$name" tests/loops tests/test_tasks.py tests/rest tests/gateway tests/connection tests/callback tests/feedme tests/wsg \
            tests/broker "${opening[@]}"
        ;;
    websockets-*)  # in the layer that imports it; `lowest` has the oldest as well, for all that stands on that
        environment "$name" "$python" "${needs[@]}" -- --no-deps "websockets==${name#websockets-}"
        tests "$name" tests/websocket
        ;;
    *)
        echo "no such row: $name"
        return 2
        ;;
    esac
}

for row in "${rows[@]}"; do
    echo "== $row"
    began=$SECONDS
    run "$row"
    echo "== $row: $((SECONDS - began)) s"
done
