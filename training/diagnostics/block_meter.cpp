// SPDX-License-Identifier: Apache-2.0
#include "training/diagnostics/block_meter.h"

#include <torch/torch.h>

#include <cmath>
#include <limits>
#include <unordered_map>

namespace meanflow::training {
namespace {

std::vector<float> onHost(const torch::Tensor& values) {
  const auto host = values.to(torch::kCPU, torch::kFloat32).contiguous();
  return {host.data_ptr<float>(), host.data_ptr<float>() + host.numel()};
}

torch::Tensor norms(at::TensorList tensors) { return torch::stack(at::_foreach_norm(tensors)); }

}  // namespace

BlockMeter::BlockMeter(const BlockGroups& groups, const AdamW& optimizer, const Ema& ema)
    : groups_(groups), optimizer_(optimizer) {
  std::unordered_map<std::string, torch::Tensor> moments, averages;
  for (const auto& [name, tensor] : optimizer.state()) moments[name] = tensor;
  for (const auto& [name, tensor] : ema.averages()) averages[name] = tensor;
  for (const auto& [name, tensor] : groups.parameters()) {
    first_.push_back(moments.at(name + ".exp_avg"));
    second_.push_back(moments.at(name + ".exp_avg_sq"));
    averages_.push_back(averages.at(name));
  }
}

void BlockMeter::begin(const torch::Tensor& grad_norms) {
  const torch::NoGradGuard no_grad;
  grad_norms_ = grad_norms;
  first_norms_ = norms(first_);
  second_norms_ = norms(second_);
  before_.clear();
  for (const auto& [name, tensor] : groups_.parameters()) before_.push_back(tensor.detach().clone());
}

base::BlockFiguresReady BlockMeter::finish(const std::string& stage, std::int64_t step,
                                           const core::ActivationProbe* probe) {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> weights;
  for (const auto& [name, tensor] : groups_.parameters()) weights.push_back(tensor.detach());
  // In the place of the copies: these differences are as large as the network.
  at::_foreach_sub_(before_, weights);
  const auto update = norms(before_);
  at::_foreach_copy_(before_, weights);
  at::_foreach_sub_(before_, averages_);
  const auto distance = norms(before_);
  before_.clear();
  base::BlockFiguresReady event{stage, step, groups_.names(), {}};
  // One transfer for all.
  const auto table =
      torch::stack({groups_.gather(grad_norms_), groups_.gather(update), groups_.gather(norms(weights)),
                    groups_.gather(first_norms_), groups_.gather(second_norms_), groups_.gather(distance)})
          .to(torch::kCPU);
  std::int64_t row = 0;
  for (const char* name : {"grad_norm", "update_norm", "param_norm", "exp_avg_norm", "exp_avg_sq_norm", "ema_distance"})
    event.figures.push_back({name, onHost(table[row++])});
  findLostMoment(step, first_norms_.to(torch::kCPU, torch::kFloat64), second_norms_.to(torch::kCPU, torch::kFloat64));
  if (!probe) return event;
  constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
  base::BlockFigure rms{"activation_rms", std::vector<float>(event.blocks.size(), kNone)};
  base::BlockFigure logits{"attention_logit_max", rms.values};
  for (std::size_t i = 0; i < event.blocks.size(); ++i) {
    const auto reading = probe->readings().find(event.blocks[i]);
    if (reading == probe->readings().end()) continue;
    if (reading->second.mean_square.defined()) rms.values[i] = std::sqrt(reading->second.mean_square.item<float>());
    if (reading->second.logit_max.defined()) logits.values[i] = reading->second.logit_max.item<float>();
  }
  event.figures.push_back(std::move(rms));
  event.figures.push_back(std::move(logits));
  return event;
}

void BlockMeter::findLostMoment(std::int64_t step, const torch::Tensor& first, const torch::Tensor& second) {
  lost_.reset();
  if (groups_.parameters().empty()) return;
  const auto* m = first.data_ptr<double>();
  const auto* v = second.data_ptr<double>();
  const auto* last = last_second_.defined() ? last_second_.data_ptr<double>() : nullptr;
  // A hundredth for rounding: float32 moments of many steps.
  const double decay = 0.99 * std::pow(optimizer_.options().beta2, static_cast<double>(step - last_step_));
  // Gradients that are zero but for rounding, such as those of a key's bias, have squares that underflow.
  const double small_first = 1e-6 * first.max().item<double>(), small_second = 1e-12 * second.max().item<double>();
  for (std::size_t i = 0; i < groups_.parameters().size() && !lost_; ++i) {
    const auto& name = groups_.parameters()[i].first;
    const auto& block = groups_.names()[groups_.blockOfParameter(i)];
    if (last && last[i] > small_second && v[i] < decay * last[i])
      lost_ = LostMoment{name + ".exp_avg_sq", block, v[i], decay * last[i]};
    else if (v[i] == 0 && m[i] > small_first)
      lost_ = LostMoment{name + ".exp_avg_sq", block, 0, m[i]};
    else if (v[i] > small_second && m[i] == 0)
      lost_ = LostMoment{name + ".exp_avg", block, 0, std::sqrt(v[i])};
  }
  last_second_ = second.clone();
  last_step_ = step;
}

}  // namespace meanflow::training
