// SPDX-License-Identifier: Apache-2.0
#include "training/workers/worker.h"

#include <ATen/Parallel.h>
#include <pthread.h>
#include <sched.h>

#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>
#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <vector>

namespace meanflow::training {

/// What the ranks of one runWorkers() share: the first failure, and a bell that wakes whoever waits in a collective.
class Crew {
 public:
  /// Keeps the first failure only: the others are its echoes.
  void fail(std::exception_ptr failure) {
    {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::move(failure);
    }
    bell_.notify_all();
  }
  std::exception_ptr failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
  }
  void ring() {
    { const std::lock_guard lock(mutex_); }  // a waiter between its look and its sleep must not miss the bell
    bell_.notify_all();
  }
  /// Returns once `is_done` holds (true) or a rank has failed (false).
  template <typename Predicate>
  bool wait(const Predicate& is_done) {
    std::unique_lock lock(mutex_);
    bell_.wait(lock, [&] { return is_done() || failure_; });
    return is_done();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable bell_;
  std::exception_ptr failure_;
};

namespace {

// A rank may make a long checkpoint or score while others wait in a collective; a failed rank releases them through the
// Crew, so the timeout only guards against a stuck one.
constexpr auto kCollectiveTimeout = std::chrono::minutes(30);

using Group = c10::intrusive_ptr<c10d::ProcessGroupGloo>;

Group connect(const c10::intrusive_ptr<c10d::Store>& store, int rank, int size) {
  if (size == 1) return {};
  auto options = c10d::ProcessGroupGloo::Options::create(kCollectiveTimeout);
  options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1"));
  options->threads = 1;
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, options);
}

/// c10d's flight recorder keeps one unguarded map a process: ranks that are threads of one process corrupt it (seen as
/// a crash in FlightRecorder::recordWithResetEnabled). It is read from the environment once, at the first collective.
void switchFlightRecorderOff() {
  static std::once_flag once;
  std::call_once(once, [] { setenv("TORCH_FR_BUFFER_SIZE", "0", /*overwrite=*/1); });
}

/// Gloo writes to sockets without MSG_NOSIGNAL: a write to a rank that has gone would end the whole process. The
/// threads that Gloo starts from this one inherit the mask and see the error instead.
void blockBrokenPipeSignal() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

}  // namespace

Worker::Worker(int rank, int size, torch::Device device, Group group, std::shared_ptr<Crew> crew)
    : rank_(rank), size_(size), device_(device), group_(std::move(group)), crew_(std::move(crew)) {}
Worker::~Worker() = default;
Worker::Worker(Worker&&) noexcept = default;

/// Waits for a collective, but no longer than until another rank fails: Gloo alone was seen to wait for a rank that had
/// gone.
void Worker::finish(const c10::intrusive_ptr<c10d::Work>& work) const {
  const auto future = work->getFuture();
  future->addCallback([crew = crew_](c10::ivalue::Future&) { crew->ring(); });
  if (!crew_->wait([&] { return future->completed(); }))
    throw std::runtime_error("rank " + std::to_string(rank_) +
                             " was released from a collective because another rank failed");
  work->wait();
}

void Worker::allReduceSum(torch::Tensor& tensor) const {
  if (!group_) return;
  std::vector<at::Tensor> tensors = {tensor};
  finish(group_->allreduce(tensors));
}

void Worker::broadcast(torch::Tensor& tensor, int root) const {
  if (!group_) return;
  c10d::BroadcastOptions options;
  options.rootRank = root;
  std::vector<at::Tensor> tensors = {tensor};
  finish(group_->broadcast(tensors, options));
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
  finish(group_->allgather(outputs, inputs));
  for (int i = 0; i < size_; ++i) outputs[0][i] = outputs[0][i].narrow(0, 0, counts[i].item<std::int64_t>());
  return torch::cat(outputs[0], 0);
}

void Worker::barrier() const {
  if (group_) finish(group_->barrier());
}

std::pair<std::int64_t, std::int64_t> Worker::share(std::int64_t total) const {
  return {total * rank_ / size_, total * (rank_ + 1) / size_};
}

std::vector<std::int64_t> Worker::positions(std::int64_t total) const {
  const auto [begin, end] = share(total);
  std::vector<std::int64_t> numbers(end - begin);
  std::iota(numbers.begin(), numbers.end(), begin);
  return numbers;
}

void runWorkers(int num_workers, torch::Device device, const std::function<void(Worker&)>& body) {
  switchFlightRecorderOff();
  const auto store = c10::make_intrusive<c10d::HashStore>();
  const auto crew = std::make_shared<Crew>();
  std::vector<Group> groups(
      num_workers);  // outlive every rank's work, so that no rank closes while another still sends
  std::vector<std::thread> threads;
  threads.reserve(num_workers);
  for (int rank = 0; rank < num_workers; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        blockBrokenPipeSignal();
        if (device.is_cpu()) at::set_num_threads(1);
        groups[rank] = connect(store, rank, num_workers);
        Worker worker(rank, num_workers, device, groups[rank], crew);
        body(worker);
        worker.barrier();
      } catch (...) {
        crew->fail(std::current_exception());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const auto failure = crew->failure();
  if (!failure) return;
  // A rank that was released may have left a collective under way, and closing its group waits for it: for its peers to
  // close, or for Gloo's timeout. Nobody needs to wait for that.
  for (auto& group : groups) std::thread([closing = std::move(group)]() mutable { closing.reset(); }).detach();
  std::rethrow_exception(failure);
}

int resolveNumWorkers(std::int64_t configured, torch::Device device) {
  if (configured > 0) return static_cast<int>(configured);
  if (!device.is_cpu()) return 1;
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) return std::max(1, CPU_COUNT(&allowed));
  return std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace meanflow::training
