#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/model/model.h"

namespace descramble {

at::Device parse_device(const std::string& name) {
  const auto refuse = [&name](const std::string& expected) {
    return Error({"unknown device", "/device", expected, "'" + name + "'"});
  };
  c10::optional<at::Device> device;
  try {
    device.emplace(name);
  } catch (const std::exception&) {
    throw refuse("'cpu', 'cuda' or 'cuda:N'");
  }
  if (device->is_cpu()) return *device;
  if (!device->is_cuda()) throw refuse("'cpu', 'cuda' or 'cuda:N'");
  if (!at::globalContext().hasCUDA())
    throw refuse("'cpu' (this machine or this LibTorch has no CUDA)");
  const std::int64_t devices = at::detail::getCUDAHooks().getNumGPUs();
  if (device->has_index() && device->index() >= devices) {
    throw Error({"no such device", "/device",
                 fmt::format("one of the {} that this machine has", devices), "'" + name + "'"});
  }
  return *device;
}

}  // namespace descramble
