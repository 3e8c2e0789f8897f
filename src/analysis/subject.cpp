#include "descramble/analysis/subject.h"

#include <algorithm>

#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/data/batches.h"

namespace descramble {

std::string split_name(Split split) {
  return split == Split::train ? "train" : "test";
}

Split parse_split(const std::string& name) {
  for (const Split split : {Split::train, Split::test}) {
    if (split_name(split) == name) return split;
  }
  throw Error({"unknown source", "", "'train' or 'test'", "'" + name + "'"});
}

std::vector<std::string> input_names(const Source& source) {
  std::vector<std::string> names = source.data->input_names();
  const std::size_t count = source.data->slice(0, 1).inputs.size();
  for (std::size_t i = names.size(); i < count; ++i)
    names.push_back(i == 0 ? "input" : fmt::format("input_{}", i));
  return names;
}

namespace {

/// Opens the check samples. If the model takes only its own dtype, the data are converted to it.
void follow_dtype(Subject& subject, bool converted) {
  const at::ScalarType dtype = subject.model.dtype();
  const auto follow = [&] {
    subject.train = with_dtype(subject.train, dtype);
    subject.test = with_dtype(subject.test, dtype);
  };
  if (converted || dtype == at::kDouble) follow();
  const Model model = subject.check_model();
  try {
    subject.check = open_check_samples(model, subject.test);
  } catch (const Error&) {
    if (converted || (dtype != at::kHalf && dtype != at::kBFloat16)) throw;
    follow();
    subject.check = open_check_samples(model, subject.test);
  }
}

void leave_out_rest(Subject& subject) {
  const std::int64_t batch = subject.check.batch_size;
  for (Source* source : {&subject.train, &subject.test}) {
    source->batch_size = batch;
    *source = with_size(*source, source->data->size() / batch * batch);
    if (source->data->size() > 0) continue;
    throw Error({"the model takes batches of one size only", subject.model.name(),
                 fmt::format("at least {} samples", batch), "fewer"});
  }
}

}  // namespace

Subject open_subject(const Model& model, const Source& train, const std::optional<Source>& test,
                     const SubjectOptions& options) {
  Subject subject{.model = model.state_policy() == StatePolicy::live
                               ? model.with_state(StatePolicy::reset)
                               : model,
                  .train = train,
                  .test = test.value_or(train),
                  .separate_test = test.has_value(),
                  .seed = options.seed,
                  .memory_mb = options.memory_mb,
                  .tolerance = options.tolerance};
  for (const Source* source : {&subject.train, &subject.test}) {
    if (source->data == nullptr || source->data->size() == 0)
      throw Error({"the data set is empty", "", "at least one sample", "none"});
  }
  if (!model.batched()) subject.train.batch_size = subject.test.batch_size = 1;
  follow_dtype(subject, options.converted);
  subject.check.names = input_names(subject.test);
  subject.check.batch_dim = options.batch_dim;
  subject.model.restart();
  if (subject.check.only_batch) leave_out_rest(subject);
  return subject;
}

RowSelection found_rows(const RowSelection& rows, const Subject& subject) {
  if (rows.mask_name.empty() || rows.mask) return rows;
  const std::vector<std::string>& names = subject.check.names;
  const auto found = std::find(names.begin(), names.end(), rows.mask_name);
  if (found == names.end()) {
    throw Error({"the data have no such input", "rows/mask", "one of " + quoted_list(names),
                 "'" + rows.mask_name + "'"});
  }
  RowSelection result = rows;
  result.mask = static_cast<std::size_t>(found - names.begin());
  return result;
}

}  // namespace descramble
