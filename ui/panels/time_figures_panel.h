// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "ui/panels/step_panel.h"

class QLabel;

namespace meanflow::ui {

class TimeFigureCharts;

/// Loss and norms of the stage at the step cursor by time and by length of the interval: where along the path the
/// network errs, and whether du/dt grows.
class TimeFiguresPanel final : public StepPanel {
  Q_OBJECT
 public:
  explicit TimeFiguresPanel(const Theme& theme, QWidget* parent = nullptr);

  TimeFigureCharts& charts() { return *charts_; }
  QString caption() const;
  bool showsReport() const { return showsContent(); }

 protected:
  void refresh() override;

 private:
  QLabel* caption_;
  TimeFigureCharts* charts_;
};

}  // namespace meanflow::ui
