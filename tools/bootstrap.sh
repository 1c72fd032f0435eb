#!/bin/sh
# Make .venv and install what a make target needs. Usage: tools/bootstrap.sh [runtime|dev|demo]...
#
# Every download is checked against a hash in requirements/*.lock. Runs with an empty HOME, over a stale or half-made
# .venv, and twice at the same time (the second waits). Each finished part leaves a stamp, so a second run is free.
set -eu
cd "$(dirname "$0")/.."

VENV=.venv
PY=$VENV/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf '==> %s\n' "$*" >&2; }
die() { printf 'bootstrap: %s\n' "$*" >&2; exit 1; }

# sudo for people, none for root (containers often have no sudo at all).
apt_line() {
  if [ "$(id -u)" = 0 ]; then s=; else s='sudo '; fi
  printf '    %sapt-get update && %sapt-get install -y %s' "$s" "$s" "$*"
}

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

# Debian splits ensurepip from python3: `import venv` works and `python3 -m venv` then fails half way. So ask ensurepip.
can_make_venv() { "$1" -c 'import venv, ensurepip; ensurepip.version()' >/dev/null 2>&1; }

find_python() {
  found=
  for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    if command -v "$name" >/dev/null 2>&1 && new_enough "$name"; then
      if can_make_venv "$name"; then printf '%s\n' "$name"; return; fi
      found=${found:-$name}
    fi
  done
  if [ -n "$found" ]; then
    die "$found is there, but its venv module is incomplete (no ensurepip). On Debian or Ubuntu:
$(apt_line "$(basename "$found")-venv")
Then run the same make target again."
  fi
  if command -v python3 >/dev/null 2>&1; then
    # An older default Python (Ubuntu 22.04): the newer one has its own package names.
    die "Python 3.11 or newer is needed, and this is $(python3 --version). On Ubuntu 22.04:
$(apt_line python3.11 python3.11-venv)
On an older system use Debian 12 or Ubuntu 24.04, or set PYTHON=/path/to/python3.11."
  fi
  die "Python 3.11 or newer is needed and there is no python3. On Debian 12 or Ubuntu 24.04 and later:
$(apt_line python3 python3-venv)
Then run the same make target again."
}

# Stale: moved (its scripts hold absolute paths), half made (.root is written last), or its interpreter has gone.
venv_is_good() { [ "$(cat $VENV/.root 2>/dev/null)" = "$PWD" ] && new_enough $PY; }

make_venv() {
  if ! venv_is_good; then
    python=$(find_python)
    say "making $VENV with $("$python" --version)"
    "$python" -m venv --clear $VENV
    printf '%s\n' "$PWD" >$VENV/.root
  fi
  if ! stamped uv requirements/bootstrap.lock; then
    say "installing uv"
    $PY -m pip install --quiet --require-hashes -r requirements/bootstrap.lock \
      || say "uv could not be installed; carrying on with pip, which is slower"
    if [ -x $VENV/bin/uv ]; then stamp uv requirements/bootstrap.lock; fi
  fi
}

digest() { cat "$@" | sha256sum | cut -c1-12; }

# install ARGS...: with uv, or with pip where uv cannot. uv does not read pip's configuration, so tell it of a mirror.
install() {
  if [ -z "${UV_DEFAULT_INDEX:-}" ]; then
    index=${PIP_INDEX_URL:-$($PY -m pip config get global.index-url 2>/dev/null || true)}
    if [ -n "$index" ]; then export UV_DEFAULT_INDEX="$index"; fi
  fi
  if [ -x $VENV/bin/uv ] && $VENV/bin/uv pip install --python $PY "$@"; then return; fi
  say "uv could not install these; trying again with pip, which is slower"
  $PY -m pip install --progress-bar on "$@"
}

# stamped NAME FILE: is this very FILE what was installed last as NAME? stamp NAME FILE: it is now.
stamped() { [ -e "$VENV/.$1-$(digest "$2")" ]; }
stamp() { rm -f "$VENV/.$1-"* && : >"$VENV/.$1-$(digest "$2")"; }

# part NAME: install one lock, then this project itself, where pyproject.toml (it names the commands) has changed.
part() {
  lock=requirements/$1.lock
  if ! stamped "$1" "$lock"; then
    say "installing $lock"
    case $1 in
      runtime)
        install --require-hashes -r "$lock"
        rm -f $VENV/.dev-* # versions under it may have moved
        ;;
      dev)
        install --require-hashes -r "$lock"
        stamp runtime requirements/runtime.lock # dev holds all of it, at the same versions
        ;;
      demo) install --require-hashes --no-deps -r "$lock" ;; # its dependencies are in the runtime lock
    esac
    stamp "$1" "$lock"
  fi
  if ! stamped project pyproject.toml; then
    say "installing trustquery itself (editable)"
    install --quiet --no-deps --no-build-isolation --editable .
    stamp project pyproject.toml
  fi
}

for name in "$@"; do
  case $name in runtime | dev | demo) ;; *) die "unknown part '$name': say runtime, dev or demo" ;; esac
done

# One at a time in one checkout: parallel make targets share the .venv.
if command -v flock >/dev/null 2>&1; then exec 9<tools/bootstrap.sh && flock 9; fi

started=$(date +%s)
make_venv
for name in "${@:-runtime}"; do
  if [ "$name" = demo ]; then part runtime; fi
  part "$name"
done
took=$(($(date +%s) - started))
if [ $took -gt 1 ]; then say "ready in $took s"; fi
