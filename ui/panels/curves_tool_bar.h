// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QStringList>
#include <QWidget>
#include <string>
#include <vector>

class QComboBox;
class QLabel;
class QListWidget;
class QSlider;
class QToolButton;

namespace meanflow::ui {

class Theme;

/// The controls above the curves. Says what a person chose; shows what it is told.
class CurvesToolBar final : public QWidget {
  Q_OBJECT
 public:
  explicit CurvesToolBar(const Theme& theme, QWidget* parent = nullptr);

  /// `span` and `axis` are the values of the enumerations of CurvesPanel and CurveAxis.
  void setStages(const std::vector<std::string>& stages);
  void setSpan(int span, const std::string& stage);
  void setAxis(int axis);
  void setEpochsKnown(bool is_known);
  void setHoursOfGpu(bool is_gpu);  ///< What the device-hours of the x axis are called.
  void setNumSpikes(int count);
  void setScalars(const QStringList& all, const QStringList& shown);
  void setLog(bool is_log_x, bool is_log_y);
  void setSmoothing(double smoothing);
  bool showsValues() const;

 Q_SIGNALS:
  void spanChosen(int span, const QString& stage);
  void axisChosen(int axis);
  void scalarsChosen(const QStringList& names);
  void logXChosen(bool is_log);
  void logYChosen(bool is_log);
  void smoothingChosen(double smoothing);
  void valuesToggled(bool is_on);
  void spikesToggled(bool is_on);
  void showAllRequested();
  void exportRequested();

 private:
  void setUp(QToolButton* button, const QString& text, const QString& name, const QString& tip);

  QComboBox* span_;
  QComboBox* axis_;
  QToolButton* scalars_;
  QListWidget* scalars_list_;
  QToolButton* log_x_;
  QToolButton* log_y_;
  QSlider* smoothing_;
  QLabel* smoothing_label_;
  QToolButton* values_;
  QToolButton* spikes_;
  QToolButton* reset_;
  QToolButton* export_;
};

}  // namespace meanflow::ui
