// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QPointer>
#include <QWidget>
#include <deque>
#include <vector>

#include "ui/models/run_source.h"
#include "ui/models/system_monitor.h"

class QGridLayout;
class QLabel;

namespace meanflow::ui {

class SystemCharts;
class Theme;
class TimeSplitBar;

/// What machine, program, disk and GPUs do, and how fast the run on show steps: the figures of now, and charts of the
/// last ten minutes.
class SystemPanel final : public QWidget {
  Q_OBJECT
 public:
  /// The panel may outlive `monitor`, which then has nothing more to say.
  SystemPanel(const Theme& theme, SystemMonitor& monitor, QWidget* parent = nullptr);

  void setAttended(bool is_attended);  ///< Whether a person is at the window: the machine is looked at less often else.
  void setSource(RunSource* source);
  /// The figures as they are written, a line each: for tests and assistive technology.
  QStringList figures() const;
  SystemCharts& charts() { return *charts_; }

 protected:
  void showEvent(QShowEvent* event) override;
  void hideEvent(QHideEvent* event) override;

 private:
  void watchMonitor();
  void onLook();
  void present();
  void presentSplit();
  void setFigure(std::size_t row, const QString& name, const QString& value, const QString& tip,
                 bool is_alarming = false);

  struct Figure {
    QLabel* name;
    QLabel* value;
  };
  const Theme& theme_;
  QPointer<SystemMonitor> monitor_;
  bool is_attended_ = true;
  QPointer<RunSource> source_;
  QGridLayout* grid_;
  std::vector<Figure> figures_;
  std::size_t num_figures_ = 0;
  std::deque<std::pair<double, double>> rate_;  ///< (unix seconds, steps a second; NaN while the run does not step).
  QLabel* split_label_;
  TimeSplitBar* split_;
  SystemCharts* charts_;
};

/// Scalars of a step event that say what its time went into are named "time/WHAT", in seconds a step.
std::vector<base::Scalar> timeSplit(const base::MetricsStore& metrics, const std::string& stage);

}  // namespace meanflow::ui
