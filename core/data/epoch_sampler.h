// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <vector>

namespace meanflow::core {

/// The order in which training visits samples: one endless sequence of shuffled passes, cut into batches. The order of
/// pass e is a pure function of (seed, e), so step k's global batch does not depend on the number of workers and
/// training continues anywhere without stored state. A batch may reach into the next pass; no sample is left out.
/// Not thread-safe (it keeps the last passes it made): one sampler a worker.
class EpochSampler {
 public:
  /// Throws c10::Error unless num_samples and batch_size are positive.
  EpochSampler(std::int64_t num_samples, std::int64_t batch_size, std::uint64_t seed);

  /// Sample indices of step `step` (from 0), over all workers: [batch_size].
  std::vector<std::int64_t> batch(std::int64_t step);
  /// The contiguous part of batch(step) that worker `rank` of `num_workers` computes; sizes differ by at most one.
  std::vector<std::int64_t> batch(std::int64_t step, std::int64_t rank, std::int64_t num_workers);
  /// Pass that the first sample of `step` belongs to.
  std::int64_t epoch(std::int64_t step) const { return step * batch_size_ / num_samples_; }

 private:
  const std::vector<std::int64_t>& order(std::int64_t epoch);

  struct Pass {
    std::int64_t epoch = -1;
    std::vector<std::int64_t> order;
  };
  std::int64_t num_samples_;
  std::int64_t batch_size_;
  std::uint64_t seed_;
  Pass passes_[2];  // by parity of the epoch: a batch touches at most neighbours unless it is larger than the data
};

}  // namespace meanflow::core
