// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QPointer>
#include <QWidget>

#include "ui/models/log_model.h"
#include "ui/models/run_source.h"

class QComboBox;
class QLabel;
class QLineEdit;
class QStackedLayout;
class QToolButton;
class QTreeView;

namespace meanflow::ui {

class EmptyState;

/// What the run says, filtered by level and text. Follows the end until scrolled up, and again once scrolled down.
class LogPanel final : public QWidget {
  Q_OBJECT
 public:
  LogPanel(const Theme& theme, QWidget* parent = nullptr);

  void setSource(RunSource* source);
  /// Scrolls to the last line said at or before a step.
  void showStep(const StepCursor& cursor);
  bool isFollowing() const { return is_following_; }
  void setFollowing(bool is_following);

 public Q_SLOTS:
  void focusFilter();
  void copySelected();

 private:
  void refresh();
  void applyFilter();

  QPointer<RunSource> source_;
  LogModel* model_;
  QStackedLayout* stack_;
  EmptyState* empty_;
  QTreeView* view_;
  QComboBox* level_;
  QLineEdit* filter_;
  QLabel* counts_;
  QToolButton* follow_;
  bool is_following_ = true;
  bool is_updating_ = false;
};

}  // namespace meanflow::ui
