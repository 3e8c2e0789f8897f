// Serves requests from several threads, while a listener learns what a layer of the model sees.
//
//     live_service MODEL.pt TAP [SECONDS [THREADS]]
//
// The requests are drawn digits, four at a time.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <future>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <descramble/data/kinds.h>
#include <descramble/descramble.h>
#include <nlohmann/json.hpp>

namespace {

using Clock = std::chrono::steady_clock;

descramble::Source drawn_digits(std::int64_t count) {
  const nlohmann::json config = {{"kind", "glyphs"}, {"count", count}};
  return descramble::open_source(
      descramble::resolve_kind(descramble::source_family(), config, "/data"), {.seed = 1});
}

/// What a thread's program has seen. The thread that serves adds to it, and the listener reads it
/// now and then.
class Seen {
 public:
  void add(const at::Tensor& rows) {
    const std::lock_guard lock(mutex_);
    moments_.add(rows);
  }
  descramble::Moments copy() const {
    const std::lock_guard lock(mutex_);
    return moments_;
  }

 private:
  mutable std::mutex mutex_{};
  descramble::Moments moments_{};
};

descramble::Moments all_of(const std::vector<Seen>& seen) {
  descramble::Moments all;
  for (const Seen& one : seen) all.merge(one.copy());
  return all;
}

void serve(const std::string& model_file, const std::string& tap, double seconds, int threads) {
  const auto digits = drawn_digits(400);
  // [snippet]
  const auto model = descramble::load_model(model_file);
  const auto tapped = descramble::tap_model(model, {tap});
  std::vector<Seen> seen(static_cast<std::size_t>(threads));
  std::atomic<std::int64_t> served = 0;
  std::atomic<bool> stop = false;

  const auto serving = [&](int number) {
    const at::NoGradGuard no_grad;        // a thread's own
    const auto program = tapped.clone();  // the weights are shared, the taps are not
    Seen& own = seen[static_cast<std::size_t>(number)];
    const auto watch = program.observe(tap, [&](const at::Tensor& value) {
      own.add(descramble::to_rows(value, descramble::Axis::features));
    });
    for (std::int64_t request = number; !stop; ++request) {
      const std::int64_t begin = 4 * (request % (digits.data->size() / 4));
      const auto answer = program.forward(digits.data->slice(begin, begin + 4).inputs);
      served += answer.size(0);
    }
  };
  // [/snippet]

  at::set_num_threads(1);  // the requests share the cores already
  std::vector<std::future<void>> workers;
  for (int number = 0; number < threads; ++number)
    workers.push_back(std::async(std::launch::async, serving, number));
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  while (Clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    const descramble::Moments now = all_of(seen);
    if (now.count() > 1)
      std::cout << now.count() << " values, variance " << now.covariance().trace().item<double>()
                << std::endl;
  }
  stop = true;
  for (auto& worker : workers) worker.get();  // throws what the thread threw
  const descramble::Moments all = all_of(seen);
  std::cout << "served " << served << ", seen " << all.count() << '\n';
}

}  // namespace

int main(int count, char** values) {
  if (count < 3 || count > 5) {
    std::cerr << "usage: live_service MODEL.pt TAP [SECONDS [THREADS]]\n";
    return 2;
  }
  try {
    serve(values[1], values[2], count > 3 ? std::stod(values[3]) : 5,
          count > 4 ? std::stoi(values[4]) : 4);
  } catch (const std::exception& error) {
    std::cerr << "live_service: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
