// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/curve_readout.h"

#include <QCoreApplication>
#include <cmath>

#include "ui/theme/format.h"

namespace meanflow::ui {
namespace {
QString readOutText(const char* text) { return QCoreApplication::translate("CurveReadOut", text); }
}  // namespace

QString curveValueText(const CurvePoint& point) {
  const QString low = formatNumber(point.low), high = formatNumber(point.high);
  return low == high ? low : readOutText("%1 to %2").arg(low, high);
}

QString curveReadOut(const std::vector<CurveLine>& lines, const QStringList& scalars, const CurveLine* only, double x) {
  QStringList parts;
  for (const auto& line : lines) {
    if (!line.run.isEmpty() || (only && &line != only)) continue;
    QStringList values;
    std::int64_t step = 0;
    for (const auto& name : scalars) {
      const auto scalar = name.toStdString();
      const auto point = line.data->nearest(line.stage, scalar, line.toStep(x));
      if (!point) continue;
      step = std::llround(point->step);
      const QString title = scalarTitle(scalar).toLower(), raw = curveValueText(*point);
      values << (line.data->isSmoothed(scalar)
                     ? readOutText("%1 %2 (smoothed %3)").arg(title, raw, formatNumber(point->value))
                     : readOutText("%1 %2").arg(title, raw));
    }
    if (!values.isEmpty())
      parts << readOutText("%1, step %2: %3")
                   .arg(stageTitle(line.stage), formatCount(step), values.join(QStringLiteral(", ")));
  }
  return parts.join(QStringLiteral("   "));
}

QString curveLineName(const CurveLine& line, bool has_one_stage) {
  const QString stage = stageTitle(line.stage);
  const QString name = line.run.isEmpty() ? stage
                       : has_one_stage    ? line.run
                                          : readOutText("%1, %2").arg(line.run, stage);
  if (line.branch.isEmpty()) return name;
  constexpr qsizetype kMost = 72;  // the legend must leave room for the curves
  const bool is_long = line.branch.size() > kMost;
  return readOutText("%1, %2").arg(name, is_long ? line.branch.left(kMost - 1) + QStringLiteral("…") : line.branch);
}

}  // namespace meanflow::ui
