// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/curve_values.h"

#include <QHeaderView>
#include <algorithm>
#include <cmath>

#include "ui/models/curve_readout.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {

CurveValues::CurveValues(QWidget* parent) : QTreeWidget(parent) {
  setAccessibleName(tr("Values under the cursor"));
  setToolTip(tr("Raw values at the cursor; the smoothed ones in brackets"));
  setRootIsDecorated(false);
  setUniformRowHeights(true);
  setSelectionMode(QAbstractItemView::ExtendedSelection);
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Maximum);
  header()->setStretchLastSection(true);
}

void CurveValues::present(const QStringList& scalar_titles, const std::vector<Row>& rows) {
  const QStringList head = QStringList{tr("Curve"), tr("Step")} + scalar_titles;
  const bool is_new = columnCount() != head.size() || topLevelItemCount() != static_cast<int>(rows.size());
  setColumnCount(static_cast<int>(head.size()));
  setHeaderLabels(head);
  while (topLevelItemCount() > static_cast<int>(rows.size())) delete takeTopLevelItem(topLevelItemCount() - 1);
  while (topLevelItemCount() < static_cast<int>(rows.size())) addTopLevelItem(new QTreeWidgetItem);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto* item = topLevelItem(static_cast<int>(i));
    item->setText(0, rows[i].name);
    item->setForeground(0, rows[i].colour);
    item->setText(1, rows[i].step);
    for (int c = 0; c < rows[i].values.size(); ++c) item->setText(c + 2, rows[i].values[c]);
  }
  if (!is_new) return;
  for (int c = 0; c < head.size(); ++c) resizeColumnToContents(c);
  updateGeometry();
}

void CurveValues::presentAt(const std::vector<CurveLine>& lines, const QStringList& scalars, double x,
                            const ThemeColors& colors) {
  QStringList titles;
  for (const auto& name : scalars) titles << scalarTitle(name.toStdString());
  std::vector<Row> rows;
  for (const auto& line : lines) {
    Row row;
    row.name = line.run.isEmpty() ? stageTitle(line.stage) : tr("%1, %2").arg(line.run, stageTitle(line.stage));
    row.colour = colors.series[line.colour % colors.series.size()];
    for (const auto& name : scalars) {
      const auto scalar = name.toStdString();
      const auto point = line.data->nearest(line.stage, scalar, line.toStep(x));
      if (point) row.step = formatCount(std::llround(point->step));
      row.values << (!point ? QStringLiteral("–")
                     : line.data->isSmoothed(scalar)
                         ? tr("%1 (%2)").arg(curveValueText(*point), formatNumber(point->value))
                         : curveValueText(*point));
    }
    rows.push_back(row);
  }
  present(titles, rows);
}

QSize CurveValues::sizeHint() const {
  const int rows = std::clamp(topLevelItemCount(), 1, 6);
  return {200, header()->sizeHint().height() + rows * (fontMetrics().height() + 8) + 4};
}

}  // namespace meanflow::ui
