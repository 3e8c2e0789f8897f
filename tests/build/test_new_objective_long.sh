#!/usr/bin/env bash
# A new objective is one file and one line: in a copy of the sources, with nothing else changed, the
# registry, the command, the schema and the parametrised tests know it. Builds the copy, so it takes
# minutes: label long.
set -euo pipefail
source_dir="$DESCRAMBLE_SOURCE_DIR"
copy="$(mktemp -d)"
trap 'rm -rf "$copy"' EXIT

git -c safe.directory="$source_dir" -C "$source_dir" ls-files -z |
  tar -C "$source_dir" --null --files-from - --create | tar -C "$copy" --extract

cat >"$copy/src/objective/kinds/mean_absolute.cpp" <<'CPP'
#include "descramble/objective/kinds.h"
#include "descramble/objective/loss_objective.h"

namespace descramble {

const ObjectiveKind& objective_kind_mean_absolute() {
  static const ObjectiveKind kind{
      .info = {.name = "mean_absolute",
               .summary = "mean size of the rotated values",
               .formula = "minimise mean_n,i |P h_n|_i",
               .source = "an example"},
      .needs = [](const Settings&) { return LayerNeeds::values; },
      .make = [](const Settings&, const LayerData& layer) -> std::unique_ptr<Objective> {
        return std::make_unique<LossObjective>(
            *layer.values, [](const at::Tensor& h) { return h.abs().mean(); });
      }};
  return kind;
}

}  // namespace descramble
CPP
echo 'DESCRAMBLE_KIND(mean_absolute)' >>"$copy/src/objective/builtin.def"

cmake -S "$copy" -B "$copy/build" -G Ninja -DTorch_DIR="$DESCRAMBLE_TORCH_DIR" \
  -DDESCRAMBLE_BUILD_BENCHMARKS=OFF >"$copy/log" 2>&1 || { cat "$copy/log"; exit 1; }
cmake --build "$copy/build" --target test_objective test_solver descramble_command >"$copy/log" 2>&1 ||
  { tail -50 "$copy/log"; exit 1; }

"$copy/build/descramble" kinds mean_absolute | grep 'mean size of the rotated values' >/dev/null
"$copy/build/descramble" kinds --schema | grep mean_absolute >/dev/null
"$copy/build/tests/test_objective" --gtest_filter='*EveryObjective*mean_absolute*' | tee "$copy/tests"
grep --quiet 'PASSED.* [1-9][0-9]* tests' "$copy/tests"
"$copy/build/tests/test_solver" --gtest_filter='*EverySolver*'
"$copy/build/descramble" run "$copy/configs/first.json" --quiet --out "$copy/result" \
  --set '/steps/1/objective={"kind": "mean_absolute"}' --set '/steps/1/solver={"kind": "riemannian_lbfgs", "max_iterations": 20}' \
  --set /data/train/count=300 --set /data/test/count=100
"$copy/build/descramble" verify "$copy/result"
