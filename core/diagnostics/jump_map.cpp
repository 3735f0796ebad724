// SPDX-License-Identifier: Apache-2.0
#include "core/diagnostics/jump_map.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include "core/flow/ode_solver.h"

namespace meanflow::core {
namespace {

constexpr std::int64_t kJumpsAtOnce = 128;  // samples in one call of the student: bounds memory

}  // namespace

std::vector<std::int64_t> everyNth(std::int64_t num_points, std::int64_t stride) {
  std::vector<std::int64_t> points;
  for (std::int64_t i = 0; i < num_points; i += stride) points.push_back(i);
  if (!points.empty() && points.back() != num_points - 1) points.push_back(num_points - 1);
  return points;
}

JumpMap::JumpMap(const VelocityField& teacher, const torch::Tensor& z, torch::Tensor y, const std::vector<double>& grid,
                 const std::vector<std::int64_t>& knots, std::string reference)
    : y_(std::move(y)), reference_(std::move(reference)) {
  TORCH_CHECK(knots.size() >= 2 && knots.front() == 0 && knots.back() < static_cast<std::int64_t>(grid.size()),
              "jump map: needs two knots or more on the grid of ", grid.size(), " points, the first of them 0");
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> states = {z};
  times_ = {grid.front()};
  // From knot to knot: a fine path has many more states than are kept.
  for (std::size_t k = 1; k < knots.size(); ++k) {
    const auto piece = std::span(grid).subspan(static_cast<std::size_t>(knots[k - 1]),
                                               static_cast<std::size_t>(knots[k] - knots[k - 1] + 1));
    states.push_back(
        solveOde(teacher, states.back(), y_, piece, {.method = OdeMethod::kEuler, .keep_states = false}).final());
    times_.push_back(piece.back());
  }
  states_ = torch::stack(states);
}

base::CmtMatrixReady JumpMap::measure(const FlowMap& u) const {
  const torch::NoGradGuard no_grad;
  const auto n = static_cast<std::int64_t>(times_.size()), num_paths = states_.size(1);
  std::vector<std::int64_t> from, to, path;
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = i + 1; j < n; ++j)
      for (std::int64_t m = 0; m < num_paths; ++m) from.push_back(i), to.push_back(j), path.push_back(m);
  const auto onDevice = [&](const std::vector<std::int64_t>& numbers) {
    return torch::tensor(numbers, torch::kInt64).to(states_.device());
  };
  const auto i = onDevice(from), j = onDevice(to), m = onDevice(path);
  const auto times = torch::tensor(times_, torch::kFloat64).to(states_.options());
  const auto flat = states_.flatten(0, 1);
  std::vector<torch::Tensor> parts;
  for (std::int64_t at = 0; at < i.size(0); at += kJumpsAtOnce) {
    const auto count = std::min(kJumpsAtOnce, i.size(0) - at);
    const auto rows = [&](const torch::Tensor& numbers) { return numbers.narrow(0, at, count); };
    const auto z_t = flat.index_select(0, rows(i) * num_paths + rows(m)),
               z_r = flat.index_select(0, rows(j) * num_paths + rows(m));
    const auto t = times.index_select(0, rows(i)), r = times.index_select(0, rows(j));
    const auto landed = z_t - likeImage(t - r) * u(z_t, r, t, y_.index_select(0, rows(m)));
    parts.push_back((landed - z_r).flatten(1).norm(2, 1) / z_r.flatten(1).norm(2, 1).clamp_min(1e-12));
  }
  const auto errors = torch::cat(parts).view({-1, num_paths}).mean(1).to(torch::kCPU, torch::kFloat32).contiguous();

  base::CmtMatrixReady event;
  event.reference = reference_;
  event.times.assign(times_.begin(), times_.end());
  event.errors.assign(static_cast<std::size_t>(n * n), std::nanf(""));
  std::int64_t pair = 0;
  for (std::int64_t a = 0; a < n; ++a)
    for (std::int64_t b = a + 1; b < n; ++b) {
      const float error = errors.data_ptr<float>()[pair++];
      event.errors[static_cast<std::size_t>(a * n + b)] =
          std::isnan(error) ? std::numeric_limits<float>::infinity() : error;
    }
  return event;
}

}  // namespace meanflow::core
