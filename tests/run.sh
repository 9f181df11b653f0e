#!/usr/bin/env bash
# Run the test groups (the folders of tests/) one after the other, all of them even when one fails, and say what
# each took.
#
#   tests/run.sh                 every group
#   tests/run.sh spec wire       these
#   PYTEST_ARGS="-x -k stop" tests/run.sh spec
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=.venv/bin/python
groups=("$@")
if [ ${#groups[@]} -eq 0 ]; then
  compgen -G 'tests/test_*.py' >/dev/null && groups+=(.)
  for folder in tests/*/; do
    name=$(basename "$folder")
    # benchmarks are not tests
    case $name in bench | __pycache__) continue ;; esac
    find "$folder" -name 'test_*.py' | grep -q . && groups+=("$name")
  done
fi

summary=''
failed=0
total_started=$SECONDS
for group in "${groups[@]}"; do
  if [ "$group" = . ]; then
    paths=(tests/test_*.py)
    group=top
  else
    paths=("tests/$group")
  fi
  printf '\n== %s\n' "$group"
  started=$SECONDS
  runner=$python
  options=()
  if [ "$group" = clients ]; then
    # Clients we did not write have an environment of their own; making it is not the tests' time.
    requirements/install.sh clients </dev/null || { summary+=$(printf '%-14s %5d s  FAILED (set-up)' clients $((SECONDS - started)))$'\n'; failed=1; continue; }
    [ $((SECONDS - started)) -gt 1 ] && summary+=$(printf '%-14s %5d s  ok' 'clients set-up' $((SECONDS - started)))$'\n'
    started=$SECONDS
    runner=.venv-clients/bin/python
    options=(--confcutdir=tests/clients -o norecursedirs= -o filterwarnings=default)
  fi
  # shellcheck disable=SC2086  # several arguments on purpose
  "$runner" -m pytest -q -p no:cacheprovider ${options[@]+"${options[@]}"} ${PYTEST_ARGS:-} "${paths[@]}" </dev/null
  code=$?
  case $code in
    0) word=ok ;;
    5) word='no tests' ;;
    *) word="FAILED ($code)"; failed=1 ;;
  esac
  summary+=$(printf '%-14s %5d s  %s' "$group" $((SECONDS - started)) "$word")$'\n'
done
printf '\n%s%-14s %5d s\n' "$summary" total $((SECONDS - total_started))
exit $failed
