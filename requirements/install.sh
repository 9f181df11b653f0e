#!/usr/bin/env bash
# Make one of the three environments from its lock file, or leave it alone when it is up to date.
#
#   requirements/install.sh run|dev|clients
#
# run and dev share .venv (dev contains run); clients has .venv-clients, because the official client
# must not decide which versions the keeper runs with. What is installed is remembered in stamp files
# inside the environment: sha256 of the lock and, for the checkout itself, of pyproject.toml.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
set_name=${1:?usage: requirements/install.sh run|dev|clients}
case $set_name in
  run | dev) env=.venv ;;
  clients) env=.venv-clients ;;
  *) echo "no such set: $set_name (run, dev, clients)" >&2; exit 2 ;;
esac
lock=requirements/$set_name.txt

# Whatever the caller's shell points elsewhere stays out; where packages come from stays the caller's choice.
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV PIP_TARGET PIP_PREFIX PIP_ROOT PIP_USER PIP_REQUIRE_VIRTUALENV \
  PIP_CONSTRAINT PIP_REQUIREMENT PIP_NO_BINARY PIP_NO_BUILD_ISOLATION PIP_DRY_RUN PIP_IGNORE_INSTALLED PIP_LOG
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

say() { printf '%s\n' "$*" >&2; }
fail() { say "set-up: $*"; exit 1; }

sum() {
  if command -v sha256sum >/dev/null; then sha256sum "$1" | cut -c1-64; else shasum -a 256 "$1" | cut -c1-64; fi
}

find_python() {
  local candidate old='' bare=''
  for candidate in ${KEEPER_PYTHON:-python3.13 python3.12 python3.11 python3}; do
    # A version manager's shim may exist and refuse: what counts is that it runs.
    "$candidate" -c '' 2>/dev/null </dev/null || continue
    "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { old="$candidate $("$candidate" -c 'import platform; print(platform.python_version())')"; continue; }
    "$candidate" -c 'import ensurepip, venv, sqlite3, ssl' 2>/dev/null || { bare=$candidate; continue; }
    echo "$candidate"
    return
  done
  if [ -n "$bare" ]; then
    fail "$bare is there, but without venv, ensurepip, sqlite3 or ssl. Remedy: install its venv package (Debian, Ubuntu: sudo apt install $("$bare" -c 'import sys; print("python3.%d-venv" % sys.version_info[1])')), then run this again."
  fi
  fail "Python 3.11 or newer is needed${old:+ and only $old was found}. Remedy: install it (Debian, Ubuntu: sudo apt install python3 python3-venv), or name one: KEEPER_PYTHON=/path/to/python3.12 make setup"
}

# One set-up at a time in one checkout; a machine without flock does without.
if command -v flock >/dev/null; then
  mkdir -p var
  exec 9>"var/.setup-$env.lock"
  flock -n 9 || { say "set-up: another set-up is at work here, waiting for it"; flock 9; }
fi

if [ -e "$env" ]; then
  # A checkout that was moved or whose Python went away cannot be mended: scripts carry absolute paths.
  if ! "$env/bin/python" -c '' 2>/dev/null || { [ -f "$env/.root" ] && [ "$(cat "$env/.root")" != "$root" ]; }; then
    say "set-up: $env was made for another place or another Python, making it anew"
    rm -rf "$env"
  fi
fi

wanted_packages=$(sum "$lock")
wanted_checkout=$(sum pyproject.toml)
has() { [ -f "$env/.installed-$1" ] && [ "$(cat "$env/.installed-$1")" = "$2" ]; }

packages_ready() {
  has "$set_name" "$wanted_packages" && return 0
  # the dev set contains the run set
  [ "$set_name" = run ] && has dev "$(sum requirements/dev.txt)"
}

started=$SECONDS
if [ ! -e "$env" ]; then
  python=$(find_python)
  say "set-up: $env with $("$python" -c 'import sys; print("Python " + sys.version.split()[0])')"
  "$python" -m venv "$env" || { rm -rf "$env"; fail "$python could not make an environment. Remedy: install its venv package, then run this again."; }
  printf '%s' "$root" >"$env/.root"
fi
[ -f "$env/.root" ] || printf '%s' "$root" >"$env/.root"

if ! packages_ready; then
  total=$(grep -c '==' "$lock")
  say "set-up: installing the $set_name set, at most $total packages"
  log=$env/install-$set_name.log
  # --no-deps: the lock is complete, so nothing is left to choose. Every file must have a hash the lock names.
  if ! "$env/bin/python" -m pip install --no-deps --no-compile --require-hashes -r "$lock" </dev/null 2>"$log.err" | tee "$log" |
    awk -v total="$total" '/^(Collecting|Processing) / { n++; if (n % 15 == 0) { printf "set-up:   %d of %d fetched\n", n, total; fflush() } }
      /^Installing collected/ { print "set-up:   unpacking"; fflush() }' >&2; then
    grep -v '^WARNING' "$log.err" | tail -n 12 >&2
    fail "packages could not be installed (log: $root/$log). Remedy: is the package index reachable from here? Then run this again."
  fi
  printf '%s' "$wanted_packages" >"$env/.installed-$set_name"
  rm -f "$log.err"
  # pip compiles on one core; this uses all of them. What does not compile here is compiled, or not, when imported.
  "$env/bin/python" -m compileall -q -j 0 "$env/lib" >/dev/null 2>&1 </dev/null || true
  changed=1
fi

if [ "$env" = .venv ] && ! has checkout "$wanted_checkout"; then
  "$env/bin/python" -m pip install --quiet --no-deps --no-build-isolation --no-index --editable . </dev/null 2>"$env/install-checkout.log" ||
    { tail -n 12 "$env/install-checkout.log" >&2; fail "the checkout itself could not be installed (log: $root/$env/install-checkout.log)"; }
  printf '%s' "$wanted_checkout" >"$env/.installed-checkout"
  changed=1
fi
if [ -n "${changed:-}" ]; then say "set-up: done in $((SECONDS - started)) s"; fi
