// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/curve_axis.h"

#include <QCoreApplication>

#include "ui/theme/format.h"

namespace meanflow::ui {
namespace {
QString axisText(const char* text) { return QCoreApplication::translate("CurveAxis", text); }
}  // namespace

std::optional<double> estimatedCurveHours(const base::CostEstimate& estimate, const CurveView& view,
                                          const RunSource& source) {
  if (view.axis != CurveAxis::kDeviceHours || !estimate.missing.empty()) return std::nullopt;
  double hours = 0;
  if (view.span == CurveSpan::kWholeRun) {
    for (const auto& stage : estimate.stages) hours += stage.device_hours;
  } else if (view.span != CurveSpan::kStagesOverlaid) {
    hours = estimate.deviceHours(currentCurveStage(source, view));
  }
  return hours > 0 ? std::optional(hours) : std::nullopt;
}

QString curveAxisLabel(const base::CostEstimate& estimate, const CurveView& view, const RunSource& source) {
  const bool is_whole = view.span == CurveSpan::kWholeRun;
  switch (view.axis) {
    case CurveAxis::kImages:
      return is_whole ? axisText("images seen in the whole run") : axisText("images seen in the stage");
    case CurveAxis::kEpochs:
      return is_whole ? axisText("epochs of the whole run") : axisText("epochs of the stage");
    case CurveAxis::kWallTime:
      return is_whole ? axisText("time since the run began (h:min:s)")
                      : axisText("time since the stage began (h:min:s)");
    case CurveAxis::kDeviceHours: {
      const bool is_gpu = source.summary().device.starts_with("cuda");
      const QString hours =
          is_gpu     ? (is_whole ? axisText("GPU-hours of the whole run") : axisText("GPU-hours of the stage"))
          : is_whole ? axisText("CPU-hours of the whole run")
                     : axisText("CPU-hours of the stage");
      if (const auto estimated = estimatedCurveHours(estimate, view, source))
        return axisText("%1 · estimated %2, at %3")
            .arg(hours, formatNumber(*estimated), QString::fromStdString(estimate.basis));
      if (!estimate.missing.empty())
        return axisText("%1 · no estimate: %2").arg(hours, QString::fromStdString(estimate.missing));
      return hours;
    }
    case CurveAxis::kStep:
      break;
  }
  return is_whole ? axisText("step of the whole run") : axisText("step of the stage");
}

}  // namespace meanflow::ui
