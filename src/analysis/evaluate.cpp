#include "descramble/analysis/evaluate.h"

#include <cmath>

#include <ATen/core/grad_mode.h>

#include "descramble/core/error.h"
#include "descramble/data/batches.h"

namespace descramble {

Score evaluate(const Subject& subject, Split split, Progress& progress) {
  const Source& source = subject.source(split);
  if (!source.data->has_labels())
    throw Error({"cannot evaluate", "/data", "a source with labels", "one without"});
  const at::NoGradGuard no_grad;
  Score score;
  progress.begin("evaluate", source.data->size());
  subject.model.restart();
  for_each_batch(source, subject.model.device(), [&](const Batch& batch, std::int64_t) {
    score.add(subject.model.forward(batch.inputs), batch.labels);
    progress.advance(batch.inputs.at(0).size(0));
  });
  progress.end();
  if (!std::isfinite(score.loss())) {
    throw Error({"the loss is not finite", "/data/" + split_name(split),
                 "finite samples, labels and outputs", "inf or nan"});
  }
  return score;
}

}  // namespace descramble
