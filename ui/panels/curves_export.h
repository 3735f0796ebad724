// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QByteArray>
#include <QString>
#include <cstdint>
#include <string>

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

}  // namespace meanflow::ui
