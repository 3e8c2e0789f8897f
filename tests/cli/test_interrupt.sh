#!/usr/bin/env bash
# Ctrl-C, a termination signal, a closed terminal or a reader that has gone in the middle of a run: exit code 130, one line, no folder.
# Independent of LibTorch.
source "$(dirname "${BASH_SOURCE[0]}")/failures.sh"
write_config "$work/config.json" 3000000
mkdir "$work/results"
for signal in INT TERM HUP PIPE; do
  # A job in the background ignores SIGINT unless job control gives it a group of its own.
  set -m
  "$DESCRAMBLE_COMMAND" run "$work/config.json" --out "$work/results/out" --quiet 2> "$work/stderr" &
  run=$!
  set +m
  for _ in $(seq 100); do
    [[ -n "$(ls -A "$work/results")" ]] && break
    sleep 0.1
  done
  sleep 0.5
  kill -s "$signal" "$run"
  code=0
  wait "$run" || code=$?
  expect_failure 130 "$work/results" "$work/stderr" "$code" interrupted
done
echo "ok: SIGINT, SIGTERM, SIGHUP and SIGPIPE leave nothing behind"
