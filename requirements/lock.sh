#!/usr/bin/env bash
# Write the three lock files from pyproject.toml: for every platform and Python >= 3.11 at once, with hashes,
# without the address of any index. Needs the network and a tool of its own (.venv-lock).
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ -x .venv-lock/bin/uv ] || { .venv/bin/python -m venv .venv-lock && .venv-lock/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.8; }

compile() {
  local name=$1; shift
  .venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-header --no-annotate --no-emit-index-url --no-emit-find-links --output-file "requirements/$name.txt" "$@"
}

compile run pyproject.toml --group build
compile dev pyproject.toml --extra postgres --group build --group dev
compile clients --group clients --override requirements/clients-overrides.txt

if grep -nE '://|^-|^ *--(index|extra|find)| @ |/home/' requirements/{run,dev,clients}.txt; then
  echo "a lock file names an address or a path; it must not" >&2
  exit 1
fi
