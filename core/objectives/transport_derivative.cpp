// SPDX-License-Identifier: Apache-2.0
#include "core/objectives/transport_derivative.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/torch.h>

#include <limits>
#include <mutex>
#include <tuple>

namespace meanflow::core {
namespace {

/// Forward-mode level while at least one thread takes a JVP. LibTorch has one level for the whole process, and workers
/// are threads of one process: the first to come enters it, the last to leave exits. Tangents live on the tensors, so
/// sharing the level mixes nothing up.
class ForwardModeScope {
 public:
  ForwardModeScope() {
    const std::lock_guard lock(mutex());
    if (shared().num_users++ > 0) return;
    shared().level = torch::autograd::forward_ad::enter_dual_level();
  }
  ~ForwardModeScope() {
    const std::lock_guard lock(mutex());
    if (--shared().num_users > 0) return;
    torch::autograd::forward_ad::exit_dual_level(shared().level);
  }
  ForwardModeScope(const ForwardModeScope&) = delete;
  ForwardModeScope& operator=(const ForwardModeScope&) = delete;

  std::int64_t level() const { return static_cast<std::int64_t>(shared().level); }

 private:
  struct Shared {
    int num_users = 0;
    std::uint64_t level = 0;
  };
  static Shared& shared() {
    static Shared state;
    return state;
  }
  static std::mutex& mutex() {
    static std::mutex instance;
    return instance;
  }
};

enum class Along { kFlow, kSpace };

torch::Tensor jvp(const FlowMap& u, const TransportPoint& at, Along along) {
  const ForwardModeScope scope;
  const auto z_t = at::_make_dual(at.z_t, at.w, scope.level());
  const auto t = along == Along::kFlow ? at::_make_dual(at.t, torch::ones_like(at.t), scope.level()) : at.t;
  const auto tangent = std::get<1>(at::_unpack_dual(u(z_t, at.r, t, at.y), scope.level()));
  // A map that does not depend on its inputs has no tangent at all.
  return tangent.defined() ? tangent.clone() : torch::zeros_like(at.z_t);
}

torch::Tensor finiteDifference(const FlowMap& u, const TransportPoint& at, const TransportDerivativeOptions& options) {
  const double delta = options.delta_t;
  auto t_plus = at.t + delta, t_minus = at.t - delta;
  if (options.clamp_times) {
    t_plus = t_plus.clamp_max(options.t_end);
    t_minus = torch::maximum(t_minus, at.r);
  }
  const auto ahead = options.clamp_times ? likeImage(t_plus - at.t) * at.w : delta * at.w;
  const auto back = options.clamp_times ? likeImage(at.t - t_minus) * at.w : delta * at.w;
  const auto y_plus = at.y_plus.defined() ? at.y_plus : at.y, y_minus = at.y_minus.defined() ? at.y_minus : at.y;
  const auto both = u(torch::cat({at.z_t + ahead, at.z_t - back}), torch::cat({at.r, at.r}),
                      torch::cat({t_plus, t_minus}), torch::cat({y_plus, y_minus}))
                        .to(at.z_t.scalar_type())
                        .chunk(2);
  if (!options.clamp_times) return (both[0] - both[1]) / (2 * delta);
  // With no room on either side both copies are the same point: 0 / tiny.
  return (both[0] - both[1]) / likeImage((t_plus - t_minus).clamp_min(std::numeric_limits<float>::min()));
}

}  // namespace

torch::Tensor transportDerivative(const FlowMap& u, const TransportPoint& at,
                                  const TransportDerivativeOptions& options) {
  torch::NoGradGuard no_grad;
  return options.kind == DerivativeKind::kJvp ? jvp(u, at, Along::kFlow) : finiteDifference(u, at, options);
}

torch::Tensor spatialDerivative(const FlowMap& u, const TransportPoint& at, const TransportDerivativeOptions& options) {
  torch::NoGradGuard no_grad;
  if (options.kind == DerivativeKind::kJvp) return jvp(u, at, Along::kSpace);
  const auto step = options.delta_t * at.w;
  const auto both = u(torch::cat({at.z_t + step, at.z_t - step}), torch::cat({at.r, at.r}), torch::cat({at.t, at.t}),
                      torch::cat({at.y_plus.defined() ? at.y_plus : at.y, at.y_minus.defined() ? at.y_minus : at.y}))
                        .to(at.z_t.scalar_type())
                        .chunk(2);
  return (both[0] - both[1]) / (2 * options.delta_t);
}

}  // namespace meanflow::core
