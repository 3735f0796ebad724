// SPDX-License-Identifier: Apache-2.0
#include "core/base/metrics/velocity_residuals.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace meanflow::base {
namespace {

constexpr double kMost = 0.5;        // share of the sum that a part dominates with
constexpr double kFollows = 0.5;     // of the oracle bias: what a network that follows its teacher is off from w
constexpr double kWorthwhile = 0.9;  // of the total: what another eta has to bring it down to
constexpr double kLittle = 0.005;    // share that is not worth a word

ResidualAdvice adviceFor(const ResidualAssessment& found, const ResidualTerms& terms) {
  const auto [part, share] = found.parts.front();
  // E|rho(v* + eta (v_theta - v*))|^2: what there is to train away.
  const double off_from_w = found.total - found.shares.single_point;
  if (found.cross < 0 && off_from_w < kFollows * found.shares.oracle_bias &&
      found.shares.single_point < kMost * found.total)
    return ResidualAdvice::kFollowsTeacher;
  if (share < kMost) return ResidualAdvice::kStay;
  const bool is_other_better = found.best_ratio < kWorthwhile;  // false where not known
  switch (part) {
    case ResidualPart::kOracleBias:
      return ResidualAdvice::kTrainLonger;
    case ResidualPart::kSinglePoint:
      if (!std::isfinite(terms.teacher_oracle)) return ResidualAdvice::kTryTeacher;
      return is_other_better && found.best_eta > found.eta ? ResidualAdvice::kMoreTeacher
                                                           : ResidualAdvice::kAverageMore;
    case ResidualPart::kTeacherOracle:
      return is_other_better && found.best_eta < found.eta ? ResidualAdvice::kLessTeacher
                                                           : ResidualAdvice::kImproveTeacher;
  }
  return ResidualAdvice::kStay;
}

const char* nameOf(ResidualPart part) {
  switch (part) {
    case ResidualPart::kSinglePoint:
      return "the single-point velocity's variance";
    case ResidualPart::kTeacherOracle:
      return "the teacher's distance from the oracle";
    case ResidualPart::kOracleBias:
      break;
  }
  return "the network's own error (oracle bias)";
}

}  // namespace

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

ResidualAssessment assessResiduals(const ResidualTerms& terms, double eta) {
  ResidualAssessment found;
  found.eta = eta;
  found.shares = sharesAt(terms, eta);
  found.total = found.shares.total();
  found.best_eta = bestEta(terms);
  found.best_ratio = sharesAt(terms, found.best_eta).total() / found.total;
  found.sum = found.total - found.shares.cross;
  found.cross = found.shares.cross / found.sum;
  found.parts = {{{ResidualPart::kSinglePoint, found.shares.single_point / found.sum},
                  {ResidualPart::kTeacherOracle, found.shares.teacher_oracle / found.sum},
                  {ResidualPart::kOracleBias, found.shares.oracle_bias / found.sum}}};
  if (!std::isfinite(found.total)) return found;
  if (!(found.total > 0)) {
    found.advice = ResidualAdvice::kNone;
    return found;
  }
  std::stable_sort(found.parts.begin(), found.parts.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  found.advice = adviceFor(found, terms);
  return found;
}

std::string describe(const ResidualAssessment& found) {
  if (found.advice == ResidualAdvice::kUnknown)
    return "A residual is not finite or not known: nothing can be said of what dominates.";
  if (found.advice == ResidualAdvice::kNone) return "The squared residual is zero.";
  const auto percent = [](double share) { return fmt::format("{:.0f} %", 100 * share); };
  auto text =
      fmt::format("At eta = {:.3g} {} makes {} of the squared residuals {:.3g}, {} {} and {} {}", found.eta,
                  nameOf(found.parts[0].first), percent(found.parts[0].second), found.sum, nameOf(found.parts[1].first),
                  percent(found.parts[1].second), nameOf(found.parts[2].first), percent(found.parts[2].second));
  if (std::abs(found.cross) > kLittle)
    text += found.cross < 0 ? fmt::format("; teacher and network together cancel {} of that: {:.3g} is left",
                                          percent(-found.cross), found.total)
                            : fmt::format("; teacher and network together add {} to that, which makes {:.3g}",
                                          percent(found.cross), found.total);
  text += ". ";
  const auto other =
      fmt::format("eta = {:.2f} would bring the total to {} of that", found.best_eta, percent(found.best_ratio));
  switch (found.advice) {
    case ResidualAdvice::kTrainLonger:
      return text + "The proxy velocity is good enough: stay with this eta and train longer.";
    case ResidualAdvice::kMoreTeacher:
      return text + "Give the teacher more weight: " + other + ".";
    case ResidualAdvice::kTryTeacher:
      return text + "A teacher's velocity has no such variance; what its own error would add is not known here.";
    case ResidualAdvice::kAverageMore:
      return text + "This teacher is too far off to take its place: a larger batch or a lower rate averages it out.";
    case ResidualAdvice::kLessTeacher:
      return text + "Give the teacher less weight: " + other + ".";
    case ResidualAdvice::kImproveTeacher:
      return text +
             "Less of this teacher would cost more in variance: train the teacher longer, or let MeanFlow training "
             "(eta = 0) follow, whose error averages out over the steps.";
    case ResidualAdvice::kFollowsTeacher:
      return text +
             "The network follows its teacher: what is left of its distance from the oracle is the teacher's, "
             "guidance included. Train the teacher longer, or let MeanFlow training (eta = 0) follow.";
    default:
      return text + "Nothing stands out: stay with this eta.";
  }
}

}  // namespace meanflow::base
