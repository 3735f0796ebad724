// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QPointer>
#include <QWidget>
#include <string>
#include <vector>

#include "ui/models/run_source.h"

class QStackedLayout;
class QVBoxLayout;

namespace meanflow::ui {

class EmptyState;
class Theme;

/// A panel that shows what a run reports of one kind, at the step cursor, or why there is nothing to show. It is
/// refreshed when there is news of that kind or the cursor moves: at once where it is seen, otherwise as soon as it is.
class StepPanel : public QWidget {
  Q_OBJECT
 public:
  void setSource(RunSource* source);

 public Q_SLOTS:
  void showStep(const QString& stage, qint64 step, bool is_live);

 Q_SIGNALS:
  void stepPicked(const QString& stage, qint64 step);

 protected:
  /// `icon` is drawn while there is nothing to show.
  StepPanel(StoreKind kind, const Theme& theme, const QString& icon, QWidget* parent);
  /// A page of the panel; what is added to it lies one below the other.
  QVBoxLayout* makeContent();
  /// Called once there is content: shows it, or the empty state.
  virtual void refresh() = 0;
  virtual void forget() {}  ///< Another run is shown, or none.
  /// Of the run's stores; refreshes where it is the panel's own kind.
  virtual void onChanged(StoreKind kind);
  void showContent();
  void showNothing(const QString& why, const QString& advice);
  bool showsContent() const;
  void refreshSoon();
  RunSource* source() const { return source_; }
  const std::string& stage() const { return stage_; }  ///< At the cursor; empty before the first step.
  std::int64_t step() const { return step_; }
  std::vector<std::string> stageNames() const;  ///< Of the run, in order.
  void paintEvent(QPaintEvent* event) override;

 private:
  void refreshNow();

  StoreKind kind_;
  QStackedLayout* pages_;
  EmptyState* empty_;
  QPointer<RunSource> source_;
  std::string stage_;
  std::int64_t step_ = 0;
  bool is_stale_ = false;
};

}  // namespace meanflow::ui
