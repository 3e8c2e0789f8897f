// Taps on many threads at once: clones whose handlers attach and release watches, a module whose
// forward starts threads of its own, and forwards that collide.

#include <atomic>
#include <cstdint>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <descramble/descramble.h>

namespace {

constexpr int threads = 4;
constexpr int rounds = 200;

template <typename Work>
void at_once(const Work& work) {
  std::vector<std::thread> workers;
  for (int number = 0; number < threads; ++number) workers.emplace_back(work, number);
  for (std::thread& worker : workers) worker.join();
}

void require(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

/// Each round a handler attaches another one and releases the one before.
void clones(const descramble::Model& model, const at::Tensor& inputs) {
  const auto tapped = descramble::tap_model(model, {"act1", "fc2"});
  std::atomic<std::int64_t> fired = 0;
  at_once([&](int) {
    const at::NoGradGuard no_grad;
    const auto program = tapped.clone();
    std::vector<descramble::Watch> others;
    const auto watch = program.observe("act1", [&](const at::Tensor&) {
      others.clear();
      others.push_back(program.observe("fc2", [&](const at::Tensor&) { ++fired; }));
    });
    for (int round = 0; round < rounds; ++round) program.forward({inputs});
  });
  require(fired == threads * rounds, "a watch was lost");
}

/// One module on all threads; each pass has two parts on threads of its own.
void modules(const at::Tensor& inputs) {
  const auto forward = [](const at::Tensor& x) {
    const auto listeners = descramble::TapScope::listeners();
    std::vector<at::Tensor> parts(2);
    std::vector<std::thread> workers;
    for (std::size_t part = 0; part < parts.size(); ++part) {
      workers.emplace_back([&, part] {
        const at::NoGradGuard no_grad;
        const auto adopted = descramble::TapScope::adopt(listeners);
        parts[part] = descramble::tap("part", x.slice(0, static_cast<int64_t>(part)) * 2);
      });
    }
    for (std::thread& worker : workers) worker.join();
    return parts[0];
  };
  const auto model = descramble::wrap_module(forward, inputs);
  at_once([&](int) {
    const at::NoGradGuard no_grad;
    const auto tapped = descramble::tap_model(model, {"part", "part_1"});
    std::int64_t met = 0;  // handlers of one pass run one at a time
    const auto first = tapped.observe("part", [&](const at::Tensor&) { ++met; });
    const auto second = tapped.observe("part_1", [&](const at::Tensor&) { ++met; });
    for (int round = 0; round < rounds; ++round) tapped.forward({inputs});
    require(met == 2 * rounds, "a part of a wrapped module was not heard");
    descramble::TapScope scope;
    std::atomic<int> fired = 0;
    scope.observe("part", [&](const at::Tensor&) { ++fired; });
    for (int round = 0; round < rounds; ++round) forward(inputs);
    require(fired == 2 * rounds && scope.fired("part") == 2 * rounds, "a part was not heard");
  });
}

/// Without clones one forward runs, and the others are refused.
void collisions(const descramble::Model& model, const at::Tensor& inputs) {
  const auto tapped = descramble::tap_model(model, {"act1"});
  std::atomic<std::int64_t> fired = 0;
  std::atomic<std::int64_t> answered = 0;
  std::atomic<std::int64_t> refused = 0;
  const auto watch = tapped.observe("act1", [&](const at::Tensor&) { ++fired; });
  at_once([&](int) {
    const at::NoGradGuard no_grad;
    for (int round = 0; round < rounds; ++round) {
      try {
        tapped.forward({inputs});
        ++answered;
      } catch (const descramble::Error&) {
        ++refused;
      }
    }
  });
  require(fired == answered, "a forward was not observed");
  require(answered + refused == threads * rounds, "a forward was lost");
  std::cout << "collisions: " << answered << " answered, " << refused << " refused\n";
}

}  // namespace

int main(int count, char** values) try {
  require(count == 2, "usage: threads MODEL.pt");
  at::set_num_threads(1);
  const auto model = descramble::load_model(values[1]);
  const at::Tensor inputs = at::rand({2, 1, 28, 28});
  clones(model, inputs);
  modules(inputs);
  collisions(model, inputs);
  std::cout << "all threads agree\n";
  return 0;
} catch (const std::exception& error) {
  std::cerr << "threads: " << error.what() << '\n';
  return 1;
}
