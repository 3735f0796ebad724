// SPDX-License-Identifier: Apache-2.0
#include "training/diagnostics/flight_recorder.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

namespace meanflow::training {
namespace {

using Json = nlohmann::ordered_json;

Json numbers(const torch::Tensor& values) {
  const auto host = values.to(torch::kCPU, torch::kFloat64).contiguous();
  Json list = Json::array();
  for (std::int64_t i = 0; i < host.numel(); ++i) {
    const double value = host.data_ptr<double>()[i];
    list.push_back(std::isfinite(value) ? Json(value) : Json());
  }
  return list;
}

}  // namespace

void FlightRecorder::add(Step step) {
  steps_.push_back(std::move(step));
  setCapacity(capacity_);
}

void FlightRecorder::setCapacity(std::size_t capacity) {
  capacity_ = std::max<std::size_t>(1, capacity);
  while (steps_.size() > capacity_) steps_.pop_front();
}

double FlightRecorder::typicalRate() const {
  std::vector<double> rates;
  for (const auto& step : steps_) rates.push_back(step.lr);
  if (!rates.empty()) rates.pop_back();
  if (rates.empty()) return 0;
  const auto middle = rates.begin() + static_cast<std::ptrdiff_t>(rates.size() / 2);
  std::nth_element(rates.begin(), middle, rates.end());
  return *middle;
}

std::string FlightRecorder::text(StageTask& task, const Worker& worker) const {
  std::vector<std::int64_t> positions(task.settings().batch_size);
  std::iota(positions.begin(), positions.end(), 0);
  const auto everywhere = [&](const torch::Tensor& rows) {
    return rows.defined() ? numbers(worker.allGatherRows(rows.detach().to(torch::kCPU, torch::kFloat32).flatten()))
                          : Json();
  };
  std::string text;
  for (const auto& step : steps_) {
    const auto members = task.members(step.step - 1, positions);
    Json line = {{"step", step.step},
                 {"lr", step.lr},
                 {"loss", std::isfinite(step.loss) ? Json(step.loss) : Json()},
                 {"grad_norm", std::isfinite(step.grad_norm) ? Json(step.grad_norm) : Json()},
                 {"is_clipped", step.is_clipped},
                 {"action", step.action},
                 {"noise_seed", members.noise_seed},
                 {"samples", members.samples},
                 {"labels", members.labels},
                 {"t", everywhere(step.t)},
                 {"r", everywhere(step.r)},
                 {"squared_error", everywhere(step.err_sq)}};
    if (step.grad_norms.defined()) {
      const auto norms = numbers(groups_.gather(step.grad_norms));
      Json by_block = Json::object();
      for (std::size_t i = 0; i < groups_.names().size(); ++i) by_block[groups_.names()[i]] = norms[i];
      line["block_grad_norm"] = by_block;
    }
    text += line.dump() + "\n";
  }
  return text;
}

std::vector<std::vector<double>> FlightRecorder::blockNorms() const {
  std::vector<std::vector<double>> rows;
  for (const auto& step : steps_) {
    if (!step.grad_norms.defined()) continue;
    const auto norms = groups_.gather(step.grad_norms).to(torch::kCPU, torch::kFloat64).contiguous();
    rows.emplace_back(norms.data_ptr<double>(), norms.data_ptr<double>() + norms.numel());
  }
  return rows;
}

}  // namespace meanflow::training
