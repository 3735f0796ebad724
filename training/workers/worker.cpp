// SPDX-License-Identifier: Apache-2.0
#include "training/workers/worker.h"

#include <ATen/Parallel.h>
#include <sched.h>

#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>
#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <vector>

namespace meanflow::training {
namespace {

// A rank may make a long checkpoint or score while others wait in a collective; a dead rank is noticed at once, because
// its connections close, so the timeout only guards against a stuck one.
constexpr auto kCollectiveTimeout = std::chrono::minutes(30);

c10::intrusive_ptr<c10d::ProcessGroupGloo> connect(const c10::intrusive_ptr<c10d::Store>& store, int rank, int size) {
  if (size == 1) return {};
  auto options = c10d::ProcessGroupGloo::Options::create(kCollectiveTimeout);
  options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1"));
  options->threads = 1;
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, options);
}

}  // namespace

Worker::Worker(int rank, int size, torch::Device device, c10::intrusive_ptr<c10d::ProcessGroupGloo> group)
    : rank_(rank), size_(size), device_(device), group_(std::move(group)) {}
Worker::~Worker() = default;
Worker::Worker(Worker&&) noexcept = default;

void Worker::allReduceSum(torch::Tensor& tensor) const {
  if (!group_) return;
  std::vector<at::Tensor> tensors = {tensor};
  group_->allreduce(tensors)->wait();
}

void Worker::broadcast(torch::Tensor& tensor, int root) const {
  if (!group_) return;
  c10d::BroadcastOptions options;
  options.rootRank = root;
  std::vector<at::Tensor> tensors = {tensor};
  group_->broadcast(tensors, options)->wait();
}

torch::Tensor Worker::allGatherRows(const torch::Tensor& rows) const {
  if (!group_) return rows;
  // The collective wants equal shapes: pad to the longest, then cut.
  auto counts = torch::zeros({size_}, torch::kInt64);
  counts[rank_] = rows.size(0);
  allReduceSum(counts);
  auto sizes = rows.sizes().vec();
  sizes[0] = counts.max().item<std::int64_t>();
  auto padded = torch::zeros(sizes, rows.options());
  padded.narrow(0, 0, rows.size(0)).copy_(rows);
  std::vector<at::Tensor> inputs = {padded};
  std::vector<std::vector<at::Tensor>> outputs(1);
  for (int i = 0; i < size_; ++i) outputs[0].push_back(torch::empty_like(padded));
  group_->allgather(outputs, inputs)->wait();
  for (int i = 0; i < size_; ++i) outputs[0][i] = outputs[0][i].narrow(0, 0, counts[i].item<std::int64_t>());
  return torch::cat(outputs[0], 0);
}

void Worker::barrier() const {
  if (group_) group_->barrier()->wait();
}

std::pair<std::int64_t, std::int64_t> Worker::share(std::int64_t total) const {
  return {total * rank_ / size_, total * (rank_ + 1) / size_};
}

namespace {
/// c10d's flight recorder keeps one unguarded map a process: ranks that are threads of one process corrupt it (seen as a crash in
/// FlightRecorder::recordWithResetEnabled). It is read from the environment once, at the first collective.
void switchFlightRecorderOff() {
  static std::once_flag once;
  std::call_once(once, [] {
    setenv("TORCH_FR_BUFFER_SIZE", "0", /*overwrite=*/1);
  });
}
}  // namespace

void runWorkers(int num_workers, torch::Device device, const std::function<void(Worker&)>& body) {
  switchFlightRecorderOff();
  const auto store = c10::make_intrusive<c10d::HashStore>();
  std::mutex mutex;
  std::exception_ptr first_failure;
  std::vector<std::thread> threads;
  threads.reserve(num_workers);
  for (int rank = 0; rank < num_workers; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        if (device.is_cpu()) at::set_num_threads(1);
        // Leaving this scope by an exception closes the rank's connections, which releases the others.
        Worker worker(rank, num_workers, device, connect(store, rank, num_workers));
        try {
          body(worker);
        } catch (...) {
          // Recorded before the connections close, so that the cause comes before its echoes on the other ranks.
          const std::lock_guard lock(mutex);
          if (!first_failure) first_failure = std::current_exception();
          return;
        }
        worker.barrier();
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!first_failure) first_failure = std::current_exception();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  if (first_failure) std::rethrow_exception(first_failure);
}

int resolveNumWorkers(std::int64_t configured, torch::Device device) {
  if (configured > 0) return static_cast<int>(configured);
  if (!device.is_cpu()) return 1;
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) return std::max(1, CPU_COUNT(&allowed));
  return std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace meanflow::training
