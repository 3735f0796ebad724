// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QByteArray>
#include <QString>
#include <QStringList>
#include <cstdint>
#include <string>
#include <vector>

#include "ui/models/curve_lines.h"

class QCustomPlot;

namespace meanflow::ui {

bool savePlotAsPng(QCustomPlot& plot, const QString& path);  ///< At twice the size on the screen.
bool savePlotAsSvg(QCustomPlot& plot, const QString& path, const QString& title);

/// Points of curves as CSV: [run,]stage,step,name,value.
class CurveTable final {
 public:
  explicit CurveTable(bool has_runs);
  void add(const QString& run, const std::string& stage, std::int64_t step, const QString& name, double value);
  bool save(const QString& path) const;

 private:
  bool has_runs_;
  QByteArray text_;
};

/// The points of `scalars` on all lines between two places of the x axis; `run_name` is that of the run on show.
bool saveCurvesAsCsv(const std::vector<CurveLine>& lines, const QString& run_name, const QStringList& scalars,
                     double lower, double upper, const QString& path);

}  // namespace meanflow::ui
