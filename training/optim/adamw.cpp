// SPDX-License-Identifier: Apache-2.0
#include "training/optim/adamw.h"

#include <torch/torch.h>

#include <optional>
#include <utility>

#include "training/optim/copy_named.h"

namespace meanflow::training {

AdamW::AdamW(NamedTensors parameters, AdamWOptions options) : parameters_(std::move(parameters)), options_(options) {
  for (const auto& [name, parameter] : parameters_) {
    const bool trains = parameter.requires_grad();
    exp_avg_.push_back(trains ? torch::zeros_like(parameter, torch::MemoryFormat::Preserve).detach() : torch::Tensor());
    exp_avg_sq_.push_back(trains ? torch::zeros_like(parameter, torch::MemoryFormat::Preserve).detach()
                                 : torch::Tensor());
    step_.push_back(trains ? torch::zeros({}, parameter.options().dtype(torch::kFloat32).requires_grad(false))
                           : torch::Tensor());
  }
}

void AdamW::step(double lr, const torch::Tensor& is_bad) {
  torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> parameters, grads, exp_avgs, exp_avg_sqs, steps;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const auto& parameter = parameters_[i].second;
    if (!step_[i].defined() || !parameter.grad().defined()) continue;
    parameters.push_back(parameter);
    grads.push_back(parameter.grad());
    exp_avgs.push_back(exp_avg_[i]);
    exp_avg_sqs.push_back(exp_avg_sq_[i]);
    steps.push_back(step_[i]);
  }
  if (parameters.empty()) return;
  std::optional<torch::Tensor> found_inf;  // the name that mixed precision gave it
  if (is_bad.defined()) {
    found_inf = is_bad.to(torch::kFloat32);
    at::_foreach_add_(steps, 1 - *found_inf);
  } else {
    at::_foreach_add_(steps, 1);
  }
  at::_fused_adamw_(parameters, grads, exp_avgs, exp_avg_sqs, /*max_exp_avg_sqs=*/{}, steps, lr, options_.beta1,
                    options_.beta2, options_.weight_decay, options_.eps, /*amsgrad=*/false, /*maximize=*/false,
                    /*grad_scale=*/{}, found_inf);
}

void AdamW::zeroGrad() {
  torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> grads;
  for (const auto& [name, parameter] : parameters_)
    if (parameter.grad().defined()) grads.push_back(parameter.grad());
  if (!grads.empty()) at::_foreach_zero_(grads);
}

NamedTensors AdamW::state() const {
  NamedTensors state;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (!step_[i].defined()) continue;
    const auto& name = parameters_[i].first;
    state.emplace_back(name + ".exp_avg", exp_avg_[i]);
    state.emplace_back(name + ".exp_avg_sq", exp_avg_sq_[i]);
    state.emplace_back(name + ".step", step_[i]);
  }
  return state;
}

base::Result<void> AdamW::loadState(const NamedTensors& state) {
  return copyNamed(state, this->state(), "optimizer state");
}

}  // namespace meanflow::training
