// SPDX-License-Identifier: Apache-2.0
#include "training/sampling/sampling_worker.h"

#include <ATen/Parallel.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <tuple>

#include "core/device/device.h"

namespace meanflow::training {
namespace {
constexpr int kNiceness = 10;  // a training worker that wants the core gets most of it
}

SamplingWorker::SamplingWorker(std::function<void(const std::string&)> on_error)
    : on_error_(std::move(on_error)), thread_([this](const std::stop_token& stop) { work(stop); }) {}

SamplingWorker::~SamplingWorker() {
  {
    const std::lock_guard lock(mutex_);
    if (request_cancelled_) *request_cancelled_ = true;
    live_.clear();
    request_ = nullptr;
  }
  thread_.request_stop();
  changed_.notify_all();
}

void SamplingWorker::submitLive(const std::string& key, std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    const auto same =
        std::find_if(live_.begin(), live_.end(), [&](const auto& waiting) { return waiting.first == key; });
    if (same != live_.end())
      same->second = std::move(job);
    else
      live_.emplace_back(key, std::move(job));
  }
  changed_.notify_all();
}

void SamplingWorker::submitRequest(std::function<void(const Cancelled&)> job) {
  {
    const std::lock_guard lock(mutex_);
    if (request_cancelled_) *request_cancelled_ = true;
    request_cancelled_ = std::make_shared<std::atomic<bool>>(false);
    request_ = std::move(job);
  }
  changed_.notify_all();
}

double SamplingWorker::liveCpuSeconds(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = live_cpu_seconds_.find(key);
  return found == live_cpu_seconds_.end() ? 0 : found->second;
}

void SamplingWorker::finish() {
  {
    const std::lock_guard lock(mutex_);
    live_.clear();
  }
  drain();
}

void SamplingWorker::drain() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !is_busy_ && live_.empty() && !request_; });
}

void SamplingWorker::work(const std::stop_token& stop) {
  setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kNiceness);
  at::set_num_threads(1);
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, stop, [this] { return request_ != nullptr || !live_.empty(); });
    if (stop.stop_requested()) return;
    is_busy_ = true;
    std::function<void()> job;
    std::string key;
    const bool is_live = request_ == nullptr;
    if (is_live) {
      std::tie(key, job) = std::move(live_.front());
      live_.pop_front();
    } else {
      job = [request = std::exchange(request_, nullptr), cancelled = request_cancelled_] { request(cancelled); };
    }
    lock.unlock();
    const double cpu_before = core::threadCpuSeconds();
    try {
      job();
    } catch (const std::exception& error) {
      on_error_(error.what());
    }
    job = nullptr;  // lets go of a snapshot's memory before waiting
    const double cpu_seconds = core::threadCpuSeconds() - cpu_before;
    lock.lock();
    if (is_live) live_cpu_seconds_[key] += cpu_seconds;
    is_busy_ = false;
    changed_.notify_all();
  }
}

}  // namespace meanflow::training
