// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>
#include <QStringList>
#include <QWidget>
#include <vector>

#include "ui/models/run_scores.h"

class QCustomPlot;

namespace meanflow::ui {

class Theme;

/// One measure against the number of network evaluations: a line for each way of making images in each run, dashed for
/// what held-out images get. Points that do not compare with the chosen number are hollow and faint.
class EvaluationChart final : public QWidget {
  Q_OBJECT
 public:
  explicit EvaluationChart(const Theme& theme, QWidget* parent = nullptr);

  /// `chosen`: the number others are compared with; null: none.
  void present(const std::vector<RunScores>& runs, const QString& measure, const Score* chosen);
  QStringList lineNames() const;  ///< As in the legend.

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  struct Point {
    double nfe = 0, value = 0;
    bool compares = true;
  };
  struct Line {
    QString name;
    std::vector<Point> points;
    bool is_floor = false;
  };
  void build();
  void style();
  void showLegendWhereThereIsRoom();

  const Theme& theme_;
  QCustomPlot* plot_;
  std::vector<Line> lines_;
  QString measure_;
};

}  // namespace meanflow::ui
