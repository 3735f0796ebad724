// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <utility>

#include "ui/panels/custom_plot.h"

namespace meanflow::ui {

/// Steps of 1, 2, 2.5 or 5 times a power of ten: the finest that leaves every label its share of the axis.
class RoomyTicker : public QCPAxisTicker {
 public:
  /// True when it is another one. Tall axes have half a dozen labels, not more.
  bool setShare(double share) {
    share = std::max(share, 1.0 / 6);
    return std::exchange(share_, share) != share;
  }

 protected:
  double share() const { return share_; }
  double stepOfAtLeast(double least) const {
    const double unit = std::pow(10.0, std::floor(std::log10(least)));
    for (const double nice : {1.0, 2.0, 2.5, 5.0}) {
      if (nice * unit >= least) return nice * unit;
    }
    return 10 * unit;
  }
  double getTickStep(const QCPRange& range) override {
    const double least = share_ * range.size();
    return least > 0 && std::isfinite(least) ? stepOfAtLeast(least) : QCPAxisTicker::getTickStep(range);
  }

 private:
  double share_ = 0.25;
};

/// For a logarithmic axis, with at least two labels wherever its range lies, if there is room: powers of ten where two
/// of them are visible, otherwise 1, 2 and 5 times them or all digits, and even steps within less than that.
class DecadesTicker final : public RoomyTicker {
 public:
  DecadesTicker() { setShare(0.2); }

 protected:
  QVector<double> createTickVector(double /*tickStep*/, const QCPRange& range) override {
    num_between_ = 0;
    digits_ = 1;
    if (!(range.lower > 0) || !std::isfinite(range.upper) || !(range.upper > range.lower)) return {};
    const double decades = std::log10(range.upper / range.lower);
    const int stride = std::max(1, static_cast<int>(std::ceil(share() * decades)));
    auto ticks = multiples(range, {1}, stride);
    if (numVisible(ticks, range) >= 2) {
      num_between_ = stride == 1 ? 8 : 0;
      return ticks;
    }
    for (const auto& digits : {std::initializer_list<int>{1, 2, 5}, {1, 2, 3, 4, 5, 6, 7, 8, 9}}) {
      ticks = thinned(multiples(range, digits, 1), range);
      if (numVisible(ticks, range) >= 2) return ticks;
    }
    const double step = stepOfAtLeast(share() * range.size());
    digits_ = 2 + static_cast<int>(std::ceil(std::log10(range.upper / step)));
    return QCPAxisTicker::createTickVector(step, range);
  }
  int getSubTickCount(double /*tickStep*/) override { return num_between_; }
  QString getTickLabel(double tick, const QLocale& locale, QChar format, int precision) override {
    return QCPAxisTicker::getTickLabel(tick, locale, format, std::max(precision, digits_));
  }

 private:
  static QVector<double> multiples(const QCPRange& range, std::initializer_list<int> digits, int stride) {
    QVector<double> ticks;
    const int first = static_cast<int>(std::floor(std::log10(range.lower) / stride)) * stride;
    for (int power = first; power <= std::ceil(std::log10(range.upper)) + stride; power += stride)
      for (const int digit : digits) ticks << digit * std::pow(10.0, power);
    return ticks;
  }
  static std::ptrdiff_t numVisible(const QVector<double>& ticks, const QCPRange& range) {
    return std::count_if(ticks.begin(), ticks.end(), [&](double tick) { return range.contains(tick); });
  }
  /// Without the ticks whose labels would touch the one before.
  QVector<double> thinned(const QVector<double>& ticks, const QCPRange& range) const {
    QVector<double> kept;
    for (const double tick : ticks) {
      if (!range.contains(tick)) continue;
      if (kept.isEmpty() || std::log(tick / kept.last()) >= share() * std::log(range.upper / range.lower)) kept << tick;
    }
    return kept;
  }

  int num_between_ = 0;
  int digits_ = 1;  ///< That tell a label from the next.
};

}  // namespace meanflow::ui
