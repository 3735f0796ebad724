// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <string>

#include "core/base/metrics/metrics_store.h"

namespace meanflow::ui {

/// What the x axis of curves counts.
enum class CurveAxis { kStep, kImages, kEpochs, kWallTime, kDeviceHours };

/// Between the steps of a stage, which curves are stored by, and another measure of how far it has come. Images and
/// wall time are what the run reported, straight lines between the reports; a gap before a resume is part of the time,
/// but not of the device-hours (wall time of the processes times their workers).
class StepScale {
 public:
  StepScale(const base::MetricsStore& store, CurveAxis axis, double images_an_epoch = 0)
      : store_(store), axis_(axis), images_an_epoch_(images_an_epoch) {}

  CurveAxis axis() const { return axis_; }
  /// From the beginning of the stage: steps, images, epochs, seconds or device-hours.
  double toX(const std::string& stage, double step) const;
  double toStep(const std::string& stage, double x) const;
  /// Of the last point of the stage.
  double length(const std::string& stage) const;
  /// Seconds from the first report of the run to the first of a stage.
  double startSeconds(const std::string& stage, double run_start) const;

 private:
  const base::MetricSeries* measure(const std::string& stage) const;
  double origin(const base::MetricSeries& series) const;
  double unit() const;  ///< What the measure counts of in one of x.

  const base::MetricsStore& store_;
  CurveAxis axis_;
  double images_an_epoch_;
};

}  // namespace meanflow::ui
