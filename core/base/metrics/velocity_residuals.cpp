// SPDX-License-Identifier: Apache-2.0
#include "core/base/metrics/velocity_residuals.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace meanflow::base {

ResidualShares sharesAt(const ResidualTerms& terms, double eta) {
  const auto weighed = [](double weight, double term) { return weight == 0 ? 0.0 : weight * term; };
  return {.single_point = weighed((1 - eta) * (1 - eta), terms.single_point),
          .teacher_oracle = weighed(eta * eta, terms.teacher_oracle),
          .oracle_bias = terms.oracle_bias,
          .cross = weighed(2 * eta, terms.cross)};
}

double bestEta(const ResidualTerms& terms) {
  // d/d eta: 2 cross + 2 eta teacher - 2 (1 - eta) single = 0.
  const double curvature = terms.single_point + terms.teacher_oracle;
  if (!std::isfinite(curvature) || !std::isfinite(terms.cross)) return std::numeric_limits<double>::quiet_NaN();
  if (curvature <= 0) return terms.cross < 0 ? 1 : 0;
  return std::clamp((terms.single_point - terms.cross) / curvature, 0.0, 1.0);
}

}  // namespace meanflow::base
