// SPDX-License-Identifier: Apache-2.0
//
// Proposition 3.1: what the proxy velocity w_eta = (1 - eta)(eps - x) + eta v_theta costs. The residual rho of the
// MeanFlow loss is affine in w, and given z_t only the single-point velocity eps - x is random, hence
//   E|rho(w_eta)|^2 = E|rho(v*)|^2 + 2 eta E<rho(v*), A (v_theta - v*)> + eta^2 E|A (v_theta - v*)|^2
//                     + (1 - eta)^2 E|A (eps - x - v*)|^2.
#pragma once
#include "core/base/events/training_event.h"

namespace meanflow::base {

/// What each residual adds to E|rho(w_eta)|^2 at one eta.
struct ResidualShares {
  double single_point = 0;    ///< (1 - eta)^2 E|A (eps - x - v*)|^2: variance
  double teacher_oracle = 0;  ///< eta^2 E|A (v_theta - v*)|^2
  double oracle_bias = 0;     ///< E|rho(v*)|^2, whatever eta
  double cross = 0;           ///< 2 eta E<rho(v*), A (v_theta - v*)>: of either sign
  double total() const { return single_point + teacher_oracle + oracle_bias + cross; }
};

/// A term of weight zero adds zero, also where it is not known: without a teacher, eta = 0 still has its shares.
ResidualShares sharesAt(const ResidualTerms& terms, double eta);

/// The eta in [0, 1] with the smallest total: the total is a parabola in eta. NaN where a term is not finite.
double bestEta(const ResidualTerms& terms);

}  // namespace meanflow::base
