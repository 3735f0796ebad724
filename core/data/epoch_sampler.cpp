// SPDX-License-Identifier: Apache-2.0
#include "core/data/epoch_sampler.h"

#include <torch/torch.h>

#include <numeric>

#include "core/data/counter_random.h"

namespace meanflow::core {
namespace {
constexpr std::uint64_t kOrderStream = 0x6f72646572;  // "order": keeps these numbers apart from other uses of the seed
}

EpochSampler::EpochSampler(std::int64_t num_samples, std::int64_t batch_size, std::uint64_t seed)
    : num_samples_(num_samples), batch_size_(batch_size), seed_(seed) {
  TORCH_CHECK(num_samples > 0 && batch_size > 0, "EpochSampler: needs samples and a batch size, got ", num_samples,
              " and ", batch_size);
}

const std::vector<std::int64_t>& EpochSampler::order(std::int64_t epoch) {
  Pass& pass = passes_[epoch % 2];
  if (pass.epoch != epoch) {
    pass.order.resize(static_cast<std::size_t>(num_samples_));
    std::iota(pass.order.begin(), pass.order.end(), 0);
    shuffle(pass.order, CounterRandom(seed_, kOrderStream, static_cast<std::uint64_t>(epoch)));
    pass.epoch = epoch;
  }
  return pass.order;
}

std::vector<std::int64_t> EpochSampler::batch(std::int64_t step) { return batch(step, 0, 1); }

std::vector<std::int64_t> EpochSampler::batch(std::int64_t step, std::int64_t rank, std::int64_t num_workers) {
  TORCH_CHECK(step >= 0 && rank >= 0 && rank < num_workers, "EpochSampler: step ", step, ", worker ", rank, " of ",
              num_workers);
  const std::int64_t first = step * batch_size_ + batch_size_ * rank / num_workers;
  const std::int64_t last = step * batch_size_ + batch_size_ * (rank + 1) / num_workers;
  std::vector<std::int64_t> indices;
  indices.reserve(static_cast<std::size_t>(last - first));
  for (std::int64_t position = first; position < last; ++position) {
    indices.push_back(order(position / num_samples_)[static_cast<std::size_t>(position % num_samples_)]);
  }
  return indices;
}

}  // namespace meanflow::core
