// SPDX-License-Identifier: Apache-2.0
#include "core/base/metrics/health_monitor.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace meanflow::base {
namespace {

// Loss and gradient norm of a healthy run may double from one step to the next: a fifth of the median is the least
// deviation that is measured by, so that a spike is at least a tripling at the default score of 10.
constexpr RobustWindow::Options kWindow = {.window = 101, .min_points = 10, .relative_floor = 0.2};

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

HealthMonitor::Past& HealthMonitor::past(const std::string& figure) {
  return pasts_.try_emplace(figure, Past{RobustWindow(kWindow)}).first->second;
}

std::optional<HealthFinding> HealthMonitor::spike(Past& past, std::int64_t step, const std::string& kind,
                                                  const std::string& figure, double value) {
  std::optional<HealthFinding> found;
  const double score = config_.spike_score > 0 ? past.values.score(value, config_.spike_score) : 0;
  if (score > config_.spike_score) {
    const double highest = past.highest * std::exp2(-static_cast<double>(step - past.highest_step) / kHalfLife);
    const double news = std::max(config_.spike_score, kNews * highest);
    if (score > news && step - past.last_warning >= kQuietSteps)
      found = HealthFinding{kind, figure, value, past.values.median(), past.values.bound(news)};
    if (score > news) past.last_warning = step;
    if (score > highest) past.highest = score, past.highest_step = step;
  }
  past.values.remember(value);
  return found;
}

double HealthMonitor::explosionBound(const std::string& figure) const {
  const auto found = pasts_.find(figure);
  if (found == pasts_.end() || !found->second.values.isReady()) return kInfinity;
  const double bound = config_.explosion_factor * found->second.values.median();
  return bound > 0 ? bound : kInfinity;
}

HealthMonitor::Bounds HealthMonitor::bounds() const { return {explosionBound("loss"), explosionBound("grad_norm")}; }

std::optional<HealthFinding> HealthMonitor::judgeStep(std::int64_t step, double loss, double grad_norm) {
  const std::array<std::pair<const char*, double>, 2> figures = {{{"loss", loss}, {"grad_norm", grad_norm}}};
  for (const auto& [figure, value] : figures)
    if (!std::isfinite(value))
      return HealthFinding{"non_finite", figure, value, past(figure).values.median(),
                           std::numeric_limits<double>::quiet_NaN()};
  for (const auto& [figure, value] : figures) {
    const double bound = explosionBound(figure);
    if (value > bound) return HealthFinding{"explosion", figure, value, past(figure).values.median(), bound};
  }
  std::optional<HealthFinding> found;
  for (const auto& [figure, value] : figures) {
    auto spiked = spike(past(figure), step, "spike", figure, value);
    if (!found) found = std::move(spiked);
  }
  return found;
}

std::optional<HealthFinding> HealthMonitor::judgeFigure(std::int64_t step, const std::string& kind,
                                                        const std::string& figure, double value) {
  if (!std::isfinite(value)) return std::nullopt;  // the step itself was judged already
  return spike(past(figure), step, kind, figure, value);
}

}  // namespace meanflow::base
