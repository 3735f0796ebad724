// SPDX-License-Identifier: Apache-2.0
#include "core/diagnostics/time_figures.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace meanflow::core {
namespace {

constexpr std::size_t kMaxKept = 64;  // batches; a few numbers a sample each

/// Part [first, first + size) of row `name` of one of the two halves.
std::vector<double> rowOf(const torch::Tensor& half, std::int64_t name, std::int64_t first, std::int64_t size) {
  const auto row = half[name].narrow(0, first, size).contiguous();
  return {row.data_ptr<double>(), row.data_ptr<double>() + size};
}

}  // namespace

TimeFigures::TimeFigures(TimeFiguresOptions options) : options_(std::move(options)) {}

void TimeFigures::add(const LossTerms& terms) {
  if (!terms.t.defined() || terms.per_sample.empty()) return;
  Batch batch{terms.t, terms.r, {}, {}};
  for (const auto& [name, values] : terms.per_sample) {
    const auto at = std::find(options_.names.begin(), options_.names.end(), name);
    TORCH_CHECK(at != options_.names.end(), "time figures: '", name, "' is not kept; add it to TimeFiguresOptions");
    batch.rows.push_back(at - options_.names.begin());
    batch.values.push_back(values);
  }
  if (kept_.size() == kMaxKept || (!kept_.empty() && !batch.isLike(kept_.front()))) sumUp();
  kept_.push_back(std::move(batch));
}

TimeFigures::Batch TimeFigures::joined() const {
  const auto join = [this](const auto& pick) {
    std::vector<torch::Tensor> parts;
    for (const auto& batch : kept_) parts.push_back(pick(batch).to(torch::kFloat64));
    return torch::cat(parts);
  };
  Batch all;
  all.rows = kept_.front().rows;
  all.t = join([](const Batch& batch) { return batch.t; });
  if (kept_.front().r.defined()) all.r = join([](const Batch& batch) { return batch.r; });
  for (std::size_t i = 0; i < all.rows.size(); ++i)
    all.values.push_back(join([i](const Batch& batch) { return batch.values[i]; }));
  return all;
}

void TimeFigures::sumUp() {
  if (kept_.empty()) return;
  const torch::NoGradGuard no_grad;
  const auto [t, r, rows, all_values] = joined();
  kept_.clear();
  const auto num_t = options_.num_t_bins, num_gap = options_.num_gap_bins + 1;
  const auto num_names = static_cast<std::int64_t>(options_.names.size());
  if (!sums_.defined()) sums_ = torch::zeros({2, num_names + 1, num_t + num_gap}, t.options());
  // Bins of t come first, those of t - r behind them: a sample adds to one of each.
  std::vector<torch::Tensor> bins = {(t * num_t).floor().clamp(0, num_t - 1).to(torch::kInt64)};
  if (r.defined())
    bins.push_back(((t - r) * options_.num_gap_bins).ceil().clamp(0, num_gap - 1).to(torch::kInt64) + num_t);
  const auto count = [&](const torch::Tensor& row_sums, const torch::Tensor& values) {
    for (const auto& bin : bins) row_sums.index_add_(0, bin, values);
  };
  count(sums_[1][num_names], torch::ones_like(t));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& values = all_values[i];
    const auto is_defined = values.isnan().logical_not();
    count(sums_[0][rows[i]], torch::where(is_defined, values, torch::zeros_like(values)));
    count(sums_[1][rows[i]], is_defined.to(torch::kFloat64));
  }
}

base::TimeFiguresReady TimeFigures::fetch(const std::function<void(torch::Tensor&)>& sum_over_ranks) {
  const auto num_t = options_.num_t_bins, num_gap = options_.num_gap_bins + 1;
  const auto num_names = static_cast<std::int64_t>(options_.names.size());
  sumUp();
  auto sums =
      sums_.defined() ? sums_.to(torch::kCPU) : torch::zeros({2, num_names + 1, num_t + num_gap}, torch::kFloat64);
  sums_ = torch::Tensor();
  if (sum_over_ranks) sum_over_ranks(sums);

  const auto figures = [&](std::int64_t first, std::int64_t size) {
    std::vector<base::BlockFigure> result;
    const auto samples = rowOf(sums[1], num_names, first, size);
    result.push_back({"count", {samples.begin(), samples.end()}});
    for (std::int64_t name = 0; name < num_names; ++name) {
      const auto total = rowOf(sums[0], name, first, size), number = rowOf(sums[1], name, first, size);
      if (std::all_of(number.begin(), number.end(), [](double n) { return n == 0; })) continue;
      base::BlockFigure figure{.name = options_.names[static_cast<std::size_t>(name)], .values = {}};
      for (std::size_t i = 0; i < total.size(); ++i)
        figure.values.push_back(number[i] > 0 ? static_cast<float>(total[i] / number[i]) : std::nanf(""));
      result.push_back(std::move(figure));
    }
    return result;
  };
  base::TimeFiguresReady event;
  for (std::int64_t i = 0; i <= num_t; ++i)
    event.t_edges.push_back(static_cast<float>(static_cast<double>(i) / static_cast<double>(num_t)));
  event.by_t = figures(0, num_t);
  const auto gap_samples = rowOf(sums[1], num_names, num_t, num_gap);
  if (std::all_of(gap_samples.begin(), gap_samples.end(), [](double n) { return n == 0; })) return event;
  event.gap_edges.push_back(0);
  for (std::int64_t i = 0; i < num_gap; ++i)
    event.gap_edges.push_back(static_cast<float>(static_cast<double>(i) / static_cast<double>(num_gap - 1)));
  event.by_gap = figures(num_t, num_gap);
  return event;
}

}  // namespace meanflow::core
