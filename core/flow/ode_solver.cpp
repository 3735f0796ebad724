// SPDX-License-Identifier: Apache-2.0
#include "core/flow/ode_solver.h"

#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/flow/guidance.h"

namespace meanflow::core {
namespace {

/// Right-hand side with a scalar time, counting its calls.
class Drift {
 public:
  Drift(const VelocityField& v, const torch::Tensor& y) : v_(v), y_(y) {}
  torch::Tensor operator()(double t, const torch::Tensor& z) {
    ++nfe_;
    return v_(z, torch::full({z.size(0)}, t, z.options()), y_);
  }
  std::int64_t nfe() const { return nfe_; }

 private:
  const VelocityField& v_;
  const torch::Tensor& y_;
  std::int64_t nfe_ = 0;
};

torch::Tensor fixedStep(OdeMethod method, Drift& f, double t, double dt, const torch::Tensor& z) {
  const auto k1 = f(t, z);
  switch (method) {
    case OdeMethod::kEuler:
      return z + dt * k1;
    case OdeMethod::kMidpoint:
      return z + dt * f(t + dt / 2, z + dt / 2 * k1);
    case OdeMethod::kHeun2:
      return z + dt / 2 * (k1 + f(t + dt, z + dt * k1));
    case OdeMethod::kHeun3: {
      const auto k2 = f(t + dt / 3, z + dt / 3 * k1);
      const auto k3 = f(t + 2 * dt / 3, z + 2 * dt / 3 * k2);
      return z + dt / 4 * (k1 + 3 * k3);
    }
    default: {  // the 3/8 rule
      const auto k2 = f(t + dt / 3, z + dt / 3 * k1);
      const auto k3 = f(t + 2 * dt / 3, z + dt * (k2 - k1 / 3));
      const auto k4 = f(t + dt, z + dt * (k1 - k2 + k3));
      return z + dt / 8 * (k1 + 3 * (k2 + k3) + k4);
    }
  }
}

/// An embedded Runge-Kutta pair whose last stage is the first of the next step. `solution` has one entry per stage
/// before the last; `error` and `middle` (weights of the state at mid-step, for dense output) one per stage.
struct Tableau {
  int order;
  std::vector<double> nodes;
  std::vector<std::vector<double>> stages;
  std::vector<double> error, middle;
};

// Dormand and Prince (1980), with the mid-step weights of Shampine (1986) as torchdiffeq uses them.
const Tableau& dormandPrince() {
  static const Tableau tableau = {
      .order = 5,
      .nodes = {1.0 / 5, 3.0 / 10, 4.0 / 5, 8.0 / 9, 1, 1},
      .stages = {{1.0 / 5},
                 {3.0 / 40, 9.0 / 40},
                 {44.0 / 45, -56.0 / 15, 32.0 / 9},
                 {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
                 {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656},
                 {35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84}},
      .error = {35.0 / 384 - 1951.0 / 21600, 0, 500.0 / 1113 - 22642.0 / 50085, 125.0 / 192 - 451.0 / 720,
                -2187.0 / 6784 + 12231.0 / 42400, 11.0 / 84 - 649.0 / 6300, -1.0 / 60},
      .middle = {6025192743.0 / 30085553152 / 2, 0, 51252292925.0 / 65400821598 / 2, -2691868925.0 / 45128329728 / 2,
                 187940372067.0 / 1594534317056 / 2, -1776094331.0 / 19743644256 / 2, 11237099.0 / 235043384 / 2}};
  return tableau;
}

// Bogacki and Shampine (1989).
const Tableau& bogackiShampine() {
  static const Tableau tableau = {.order = 3,
                                  .nodes = {1.0 / 2, 3.0 / 4, 1},
                                  .stages = {{1.0 / 2}, {0, 3.0 / 4}, {2.0 / 9, 1.0 / 3, 4.0 / 9}},
                                  .error = {2.0 / 9 - 7.0 / 24, 1.0 / 3 - 1.0 / 4, 4.0 / 9 - 1.0 / 3, -1.0 / 8},
                                  .middle = {0, 1.0 / 2, 0, 0}};
  return tableau;
}

torch::Tensor combine(const torch::Tensor& z, double dt, std::span<const double> weights,
                      std::span<const torch::Tensor> k) {
  auto sum = torch::zeros_like(z);
  for (std::size_t i = 0; i < weights.size(); ++i)
    if (weights[i] != 0) sum.add_(k[i], weights[i]);
  return z + dt * sum;
}

double rms(const torch::Tensor& values) { return std::sqrt(values.square().mean().item<double>()); }

/// First step size after Hairer, Norsett and Wanner (1993), II.4. `direction` is the sign of time.
double initialStep(Drift& f, double t, double direction, const torch::Tensor& z, const torch::Tensor& f0, int order,
                   const OdeOptions& options) {
  const auto scale = options.atol + z.abs() * options.rtol;
  const double d0 = rms(z / scale), d1 = rms(f0 / scale);
  const double h0 = d0 < 1e-5 || d1 < 1e-5 ? 1e-6 : 0.01 * d0 / d1;
  const auto f1 = f(t + direction * h0, z + direction * h0 * f0);
  const double d2 = rms((f1 - f0) / scale) / h0;
  const double h1 =
      d1 <= 1e-15 && d2 <= 1e-15 ? std::max(1e-6, h0 * 1e-3) : std::pow(0.01 / std::max(d1, d2), 1.0 / order);
  return std::min(100 * h0, h1);
}

/// An accepted step and the quartic through its ends, slopes and mid-point.
struct DenseStep {
  double t0 = 0, t1 = 0;
  std::array<torch::Tensor, 5> coefficients;  ///< Constant term first, in powers of (t - t0) / (t1 - t0).

  torch::Tensor at(double t) const {
    const double s = t1 == t0 ? 0 : (t - t0) / (t1 - t0);
    auto value = coefficients[4];
    for (int i = 3; i >= 0; --i) value = value * s + coefficients[static_cast<std::size_t>(i)];
    return value;
  }
};

DenseStep denseStep(double t0, double dt, const torch::Tensor& z0, const torch::Tensor& z1, const torch::Tensor& z_mid,
                    const torch::Tensor& f0, const torch::Tensor& f1) {
  return {.t0 = t0,
          .t1 = t0 + dt,
          .coefficients = {z0, dt * f0, dt * (f1 - 4 * f0) - 11 * z0 - 5 * z1 + 16 * z_mid,
                           dt * (5 * f0 - 3 * f1) + 18 * z0 + 14 * z1 - 32 * z_mid,
                           2 * dt * (f1 - f0) - 8 * (z1 + z0) + 16 * z_mid}};
}

/// One attempted step of signed size dt. Returns the new state when the error estimate accepts it.
struct Attempt {
  torch::Tensor z1, f1;
  DenseStep dense;
  double error_ratio = 0;
};

Attempt attemptStep(Drift& f, const Tableau& tableau, double t, double dt, const torch::Tensor& z,
                    const torch::Tensor& f0, const OdeOptions& options) {
  std::vector<torch::Tensor> k = {f0};
  torch::Tensor z1;
  for (std::size_t i = 0; i < tableau.stages.size(); ++i) {
    z1 = combine(z, dt, tableau.stages[i], k);
    k.push_back(f(t + tableau.nodes[i] * dt, z1));
  }
  const auto error = combine(torch::zeros_like(z), dt, tableau.error, k);
  const auto tolerance = options.atol + options.rtol * torch::max(z.abs(), z1.abs());
  const auto z_mid = combine(z, dt, tableau.middle, k);
  return {.z1 = z1,
          .f1 = k.back(),
          .dense = denseStep(t, dt, z, z1, z_mid, f0, k.back()),
          .error_ratio = rms(error / tolerance)};
}

double nextStep(double dt, double error_ratio, int order) {
  if (error_ratio == 0) return dt * 10;
  const double smallest = error_ratio < 1 ? 1.0 : 0.2;
  return dt * std::min(10.0, std::max(0.9 / std::pow(error_ratio, 1.0 / order), smallest));
}

void solveAdaptive(Drift& f, const Tableau& tableau, torch::Tensor z, std::span<const double> times,
                   const OdeOptions& options, std::vector<torch::Tensor>& states) {
  const double direction = times.back() > times.front() ? 1 : -1;
  double t = times.front();
  auto f0 = f(t, z);
  double dt = initialStep(f, t, direction, z, f0, tableau.order, options);
  DenseStep dense{.t0 = t, .t1 = t, .coefficients = {}};
  for (const double target : times.subspan(1)) {
    while (direction * (target - dense.t1) > 0) {
      TORCH_CHECK(std::isfinite(dt) && t + direction * dt != t, "ode solver: step size underflow at t=", t,
                  "; the velocity is not finite or not smooth there");
      auto attempt = attemptStep(f, tableau, t, direction * dt, z, f0, options);
      if (attempt.error_ratio <= 1) {
        t += direction * dt;
        z = attempt.z1;
        f0 = attempt.f1;
        dense = std::move(attempt.dense);
      }
      dt = nextStep(dt, attempt.error_ratio, tableau.order);
    }
    states.push_back(dense.at(target));
  }
}

}  // namespace

OdeMethod odeMethodFromName(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, OdeMethod>, 7> kNames = {{{"euler", OdeMethod::kEuler},
                                                                             {"midpoint", OdeMethod::kMidpoint},
                                                                             {"heun2", OdeMethod::kHeun2},
                                                                             {"heun3", OdeMethod::kHeun3},
                                                                             {"rk4", OdeMethod::kRk4},
                                                                             {"dopri5", OdeMethod::kDopri5},
                                                                             {"bosh3", OdeMethod::kBosh3}}};
  for (const auto& [known, method] : kNames)
    if (known == name) return method;
  TORCH_CHECK(false, "unknown ODE method '", name, "'; use euler, midpoint, heun2, heun3, rk4, dopri5 or bosh3");
}

OdeSolution solveOde(const VelocityField& v, const torch::Tensor& z, const torch::Tensor& y,
                     std::span<const double> times, const OdeOptions& options) {
  TORCH_CHECK(times.size() >= 2, "ode solver: needs at least 2 times, got ", times.size());
  torch::NoGradGuard no_grad;
  Drift f(v, y);
  OdeSolution solution;
  solution.states.push_back(z);
  if (options.method == OdeMethod::kDopri5 || options.method == OdeMethod::kBosh3) {
    solveAdaptive(f, options.method == OdeMethod::kDopri5 ? dormandPrince() : bogackiShampine(), z, times, options,
                  solution.states);
  } else {
    for (std::size_t k = 0; k + 1 < times.size(); ++k) {
      solution.states.push_back(
          fixedStep(options.method, f, times[k], times[k + 1] - times[k], solution.states.back()));
      if (!options.keep_states) solution.states.erase(solution.states.begin());
    }
  }
  if (!options.keep_states) solution.states = {solution.states.back()};
  solution.nfe = f.nfe();
  return solution;
}

torch::Tensor sampleUniformGrid(const VelocityField& v, const torch::Tensor& z, const torch::Tensor& y,
                                std::int64_t num_steps, bool heun, const base::GuidanceConfig& guidance,
                                std::int64_t null_label) {
  torch::NoGradGuard no_grad;
  const auto guided = classifierFreeGuidance(v, {.scale = guidance.scale}, null_label);
  Drift inside(guided, y), outside(v, y);
  auto state = z;
  const auto time = [num_steps](std::int64_t k) { return 1 - static_cast<double>(k) / static_cast<double>(num_steps); };
  for (std::int64_t k = 0; k < num_steps; ++k) {
    const double t = time(k);
    const auto method = heun && k + 1 < num_steps ? OdeMethod::kHeun2 : OdeMethod::kEuler;
    state = fixedStep(method, t >= guidance.t_min && t <= guidance.t_max ? inside : outside, t, time(k + 1) - t, state);
  }
  return state;
}

}  // namespace meanflow::core
