#!/usr/bin/env bash
# Ctrl-C, a termination signal, a closed terminal or a reader that has gone in the middle of a run: exit code 130, one line, no folder.
# Independent of LibTorch.
source "$(dirname "${BASH_SOURCE[0]}")/failures.sh"
write_config "$work/config.json" 3000000
declare -A runs
for signal in INT TERM HUP PIPE; do
  mkdir "$work/$signal"
  # A job in the background ignores SIGINT unless job control gives it a group of its own.
  set -m
  "$DESCRAMBLE_COMMAND" run "$work/config.json" --out "$work/$signal/out" --quiet 2> "$work/stderr.$signal" &
  runs[$signal]=$!
  set +m
done
for signal in "${!runs[@]}"; do
  for _ in $(seq 300); do
    [[ -n "$(ls -A "$work/$signal")" ]] && break
    sleep 0.1
  done
done
sleep 0.5  # until they are all in a pass over the data
for signal in "${!runs[@]}"; do kill -s "$signal" "${runs[$signal]}"; done
for signal in "${!runs[@]}"; do
  code=0
  wait "${runs[$signal]}" || code=$?
  expect_failure 130 "$work/$signal" "$work/stderr.$signal" "$code" interrupted
done
echo "ok: SIGINT, SIGTERM, SIGHUP and SIGPIPE leave nothing behind"
