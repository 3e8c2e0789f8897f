// Data, moments, rotations and errors, each on its own; docs/data.md, docs/moments.md,
// docs/rotations.md and docs/errors.md show these regions.
//
//     concepts MODEL.pt
//
// MODEL.pt is a classifier of 1 x 28 x 28 pictures with a layer fc1, such as models/glyph_mlp.pt.

#include <cmath>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <descramble/descramble.h>

namespace {

// [snippet data]
/// Bright squares of 8 x 8 pixels on a dark ground; the class is the quarter they lie in.
class Squares final : public descramble::DataSet {
 public:
  std::int64_t size() const override { return 400; }
  bool has_labels() const override { return true; }

  descramble::Batch gather(const std::vector<std::int64_t>& indices) const override {
    const auto count = static_cast<std::int64_t>(indices.size());
    const at::Tensor images = at::zeros({count, 1, 28, 28});
    const at::Tensor classes = at::empty({count}, at::kLong);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t index = indices[static_cast<std::size_t>(i)];
      const std::int64_t top = index % 4 < 2 ? 3 : 17;
      const std::int64_t left = index % 2 == 0 ? 3 : 17;
      images[i][0]
          .slice(0, top, top + 8)
          .slice(1, left, left + 8)
          .fill_(0.5 + 0.001 * static_cast<double>(index));
      classes[i] = index % 4;
    }
    return {{images}, classes};
  }
};
// [/snippet]

/// The values of fc1 for all samples, [N, d].
at::Tensor values_of(const descramble::Model& model, const descramble::Source& source) {
  std::vector<at::Tensor> values;
  const auto tapped = descramble::tap_model(model, {"fc1"});
  // [snippet batches]
  const auto watch = tapped.capture("fc1", values);
  descramble::for_each_batch(
      source, model.device(),
      [&](const descramble::Batch& batch, std::int64_t) { tapped.forward(batch.inputs); });
  // [/snippet]
  return at::cat(values);
}

void show_moments(const at::Tensor& h) {
  // [snippet moments]
  // Two threads, files or machines: each adds its own rows [n, d], and the moments are merged.
  descramble::Moments moments, others;
  moments.add(h.slice(0, 0, 150));
  others.add(h.slice(0, 150));
  moments.merge(others);

  const at::Tensor mean = moments.mean();              // [d], float64
  const at::Tensor covariance = moments.covariance();  // [d, d], float64
  // [/snippet]
  std::cout << "rows " << moments.count() << ", variance " << covariance.trace().item<double>()
            << ", mean of the means " << mean.mean().item<double>() << '\n';
}

void show_rotations(const at::Tensor& h) {
  descramble::Moments moments;
  moments.add(h);
  // [snippet rotations]
  // Principal components: the columns of Q, the largest variance first.
  const descramble::Basis components = descramble::pca()({.moments = moments}).draw(0);
  const at::Tensor share = descramble::explained_variance(components, moments.covariance());

  // The rotation whose rows they are, inserted with its inverse: the value stays what it was.
  const descramble::RotationPair pair(components.directions().t());
  const at::Tensor rotated = pair.rotate(h, descramble::Axis::features);   // P h
  const at::Tensor same = pair.round_trip(h, descramble::Axis::features);  // Pᵀ(P h)
  // [/snippet]
  std::cout << "first component explains " << share[0].item<double>() << ", first unit "
            << (rotated.select(1, 0).var(0, false) / h.var(0, false).sum()).item<double>()
            << "\nvalue changed by " << ((same - h).abs().max() / h.abs().max()).item<double>()
            << ", |PtP - I| " << pair.orthogonality() << '\n';
}

void show_errors(const descramble::Model& model) {
  // [snippet errors]
  try {
    const auto tapped = descramble::tap_model(model, {"fc9"});
  } catch (const descramble::Error& error) {  // wrong use: its parts are there one by one
    const descramble::Complaint& complaint = error.complaint();
    std::cout << "what: " << complaint.what << "\nexpected: " << complaint.expected << '\n';
  } catch (const descramble::Failure& failure) {  // a correct request that failed while running
    std::cout << failure.what() << '\n';
  }
  // [/snippet]
}

}  // namespace

int main(int count, char** values) try {
  if (count != 2) {
    std::cerr << "usage: concepts MODEL.pt\n";
    return 2;
  }
  const auto model = descramble::load_model(values[1]);
  const descramble::Source source{std::make_shared<Squares>(), 64};
  const at::Tensor h = values_of(model, source);
  show_moments(h);
  show_rotations(h);
  show_errors(model);
  return 0;
} catch (const std::exception& error) {
  std::cerr << "concepts: " << error.what() << '\n';
  return 1;
}
