// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QAbstractSlider>
#include <QPointer>
#include <QWidget>
#include <vector>

#include "ui/models/run_source.h"

class QLabel;
class QToolButton;

namespace meanflow::ui {

class Theme;

/// The bar of the time line: one segment a stage, ticks for checkpoints and sample grids, a handle at the cursor. A
/// slider over the axis of the whole run, so keys and assistive technology work as on any slider.
class TimelineBar final : public QAbstractSlider {
  Q_OBJECT
 public:
  explicit TimelineBar(const Theme& theme, QWidget* parent = nullptr);
  void setSource(RunSource* source);
  QSize sizeHint() const override { return {400, 40}; }
  QSize minimumSizeHint() const override { return {160, 40}; }

 Q_SIGNALS:
  void userMoved(int position);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void wheelEvent(QWheelEvent* event) override;
  bool event(QEvent* event) override;

 private:
  double xOf(double position) const;
  int positionAt(double x) const;

  const Theme& theme_;
  QPointer<RunSource> source_;
};

/// One step cursor over everything the window shows. "Live" keeps it at the run's newest step; moving it by hand ends
/// that until Live is pressed again.
class StepTimeline final : public QWidget {
  Q_OBJECT
 public:
  explicit StepTimeline(const Theme& theme, QWidget* parent = nullptr);

  void setSource(RunSource* source);
  /// What can be done with the step under the cursor, as a menu of the bar.
  void setStepActions(const QList<QAction*>& actions);
  bool isLive() const { return is_live_; }
  StepCursor cursor() const;

 public Q_SLOTS:
  void setCursor(const QString& stage, qint64 step);  ///< Moves there and ends live.
  void setLive(bool is_live);
  void goToPreviousMark();  ///< Checkpoint or sample grid.
  void goToNextMark();

 Q_SIGNALS:
  void cursorMoved(const QString& stage, qint64 step, bool is_live);
  void liveChanged(bool is_live);

 private:
  void refresh();
  void moveTo(int position);
  void emitCursor();
  void showPosition();
  std::vector<int> marks() const;

  QPointer<RunSource> source_;
  TimelineBar* bar_;
  QToolButton* previous_;
  QToolButton* next_;
  QToolButton* live_;
  QLabel* label_;
  bool is_live_ = true;
  StepCursor emitted_;
};

}  // namespace meanflow::ui
