// SPDX-License-Identifier: Apache-2.0
//
// Proposition 3.1: what the proxy velocity w_eta = (1 - eta)(eps - x) + eta v_theta costs. The residual rho of the
// MeanFlow loss is affine in w, and given z_t only the single-point velocity eps - x is random, hence
//   E|rho(w_eta)|^2 = E|rho(v*)|^2 + 2 eta E<rho(v*), A (v_theta - v*)> + eta^2 E|A (v_theta - v*)|^2
//                     + (1 - eta)^2 E|A (eps - x - v*)|^2.
#pragma once
#include <array>
#include <string>
#include <utility>

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

enum class ResidualPart { kSinglePoint, kTeacherOracle, kOracleBias };

/// What the residuals ask for.
enum class ResidualAdvice {
  kUnknown,         ///< A term that the eta in use needs is not finite or not known: nothing can be said.
  kNone,            ///< The squared residual is zero.
  kTrainLonger,     ///< The network itself is most of it. The proxy velocity is good enough: stay with this eta.
  kMoreTeacher,     ///< The variance of the single-point velocity is most of it, and a larger eta lowers the total.
  kTryTeacher,      ///< The same, where there is no teacher to tell what it would cost.
  kAverageMore,     ///< The same, but the teacher is so far off that a larger eta would not help: larger batches.
  kLessTeacher,     ///< The teacher's distance is most of it, and a smaller eta lowers the total.
  kImproveTeacher,  ///< The same, but the single-point velocity's variance would cost more: a better teacher, or MFT
                    ///< (eta = 0) after this stage, whose error averages out over steps.
  kFollowsTeacher,  ///< The network fits its teacher far better than the oracle (the cross term cancels their
                    ///< distances): more steps will not help, the same things as above do.
  kStay,            ///< Nothing stands out.
};

/// What dominates E|rho(w_eta)|^2, and what to do about it.
struct ResidualAssessment {
  ResidualAdvice advice = ResidualAdvice::kUnknown;
  double eta = 1;  ///< In use.
  ResidualShares shares;
  double total = 0;                                      ///< E|rho(w_eta)|^2
  double sum = 0;                                        ///< Of the three parts: `total` without the cross term.
  std::array<std::pair<ResidualPart, double>, 3> parts;  ///< Shares of `sum`, largest first.
  double cross = 0;       ///< The cross term over `sum`: -0.9 = teacher and network cancel 90 % of it.
  double best_eta = 0;    ///< bestEta(); NaN where not known.
  double best_ratio = 0;  ///< Total at best_eta / total; NaN where not known.
};

/// A part "is most of it" from half of the sum on; eta is worth changing when that lowers the total by a tenth; a
/// network follows its teacher when what it is off from w on average is less than half of what it is off from the
/// oracle.
ResidualAssessment assessResiduals(const ResidualTerms& terms, double eta);

/// The assessment in one or two plain sentences with numbers, for a terminal or a report.
std::string describe(const ResidualAssessment& assessment);

}  // namespace meanflow::base
