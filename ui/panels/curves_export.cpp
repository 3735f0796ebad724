// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/curves_export.h"

#include <QFile>
#include <QSvgGenerator>
#include <algorithm>

#include "ui/panels/custom_plot.h"

namespace meanflow::ui {
namespace {

/// A name as one field of CSV.
QByteArray field(const QString& text) {
  QByteArray bytes = text.toUtf8();
  if (!bytes.contains(',') && !bytes.contains('"') && !bytes.contains('\n')) return bytes;
  return '"' + bytes.replace('"', "\"\"") + '"';
}

}  // namespace

bool savePlotAsPng(QCustomPlot& plot, const QString& path) {
  return plot.savePng(path, plot.width(), plot.height(), 2);
}

bool savePlotAsSvg(QCustomPlot& plot, const QString& path, const QString& title) {
  QSvgGenerator svg;
  svg.setFileName(path);
  svg.setTitle(title);
  svg.setSize(plot.size());
  svg.setViewBox(QRect(QPoint(0, 0), plot.size()));
  QCPPainter painter;
  if (!painter.begin(&svg)) return false;
  painter.setMode(QCPPainter::pmVectorized);
  plot.toPainter(&painter, plot.width(), plot.height());
  return painter.end();
}

CurveTable::CurveTable(bool has_runs) : has_runs_(has_runs), text_(has_runs ? "run," : "") {
  text_ += "stage,step,name,value\n";
}

void CurveTable::add(const QString& run, const std::string& stage, std::int64_t step, const QString& name,
                     double value) {
  if (has_runs_) text_ += field(run) + ',';
  text_ += QByteArray::fromStdString(stage) + ',' + QByteArray::number(static_cast<qint64>(step)) + ',' + field(name) +
           ',' + QByteArray::number(value, 'g', 9) + '\n';
}

bool CurveTable::save(const QString& path) const {
  QFile file(path);
  return file.open(QIODevice::WriteOnly | QIODevice::Text) && file.write(text_) == text_.size() && file.flush();
}

bool saveCurvesAsCsv(const std::vector<CurveLine>& lines, const QString& run_name, const QStringList& scalars,
                     double lower, double upper, const QString& path) {
  const bool has_runs = std::any_of(lines.begin(), lines.end(), [](const auto& line) { return !line.run.isEmpty(); });
  CurveTable table(has_runs);
  for (const auto& name : scalars) {
    for (const auto& line : lines) {
      const QString& run = line.run.isEmpty() ? run_name : line.run;
      line.data->eachRaw(line.stage, name.toStdString(), line.toStep(lower), line.toStep(upper),
                         [&](std::int64_t step, double value) { table.add(run, line.stage, step, name, value); });
    }
  }
  return table.save(path);
}

}  // namespace meanflow::ui
