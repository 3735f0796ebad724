// SPDX-License-Identifier: Apache-2.0
#include "core/nn/block_scope.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace meanflow::core {
namespace {

constexpr std::int64_t kProbedSamples = 8;  // attention logits are tokens x tokens a head and sample

thread_local const BlockScope* innermost_scope = nullptr;
thread_local ActivationProbe* active_probe = nullptr;

bool isProbed() { return active_probe && at::GradMode::is_enabled(); }

}  // namespace

BlockScope::BlockScope(const char* name, std::int64_t index) : name_(name), index_(index), outer_(innermost_scope) {
  innermost_scope = this;
}

BlockScope::~BlockScope() { innermost_scope = outer_; }

std::string BlockScope::current() {
  std::vector<const BlockScope*> scopes;
  for (const auto* scope = innermost_scope; scope; scope = scope->outer_) scopes.push_back(scope);
  std::string path;
  for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope) {
    if (!path.empty()) path += '/';
    path += (*scope)->name_;
    if ((*scope)->index_ >= 0) path += '.' + std::to_string((*scope)->index_);
  }
  return path;
}

ActivationProbe::ActivationProbe() : outer_(active_probe) { active_probe = this; }
ActivationProbe::~ActivationProbe() { active_probe = outer_; }

void ActivationProbe::output(const torch::Tensor& value) {
  if (!isProbed()) return;
  const torch::NoGradGuard no_grad;
  active_probe->readings_[BlockScope::current()].mean_square = value.detach().to(torch::kFloat32).square().mean();
}

void ActivationProbe::attention(const torch::Tensor& q, const torch::Tensor& k) {
  if (!isProbed()) return;
  const torch::NoGradGuard no_grad;
  const auto samples = std::min(kProbedSamples, q.size(0));
  const auto logits = torch::matmul(q.detach().narrow(0, 0, samples).to(torch::kFloat32),
                                    k.detach().narrow(0, 0, samples).to(torch::kFloat32).transpose(-2, -1));
  active_probe->readings_[BlockScope::current()].logit_max =
      logits.abs().max() / std::sqrt(static_cast<double>(q.size(-1)));
}

}  // namespace meanflow::core
