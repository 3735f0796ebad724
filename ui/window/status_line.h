// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>

class QLabel;
class QStatusBar;

namespace meanflow::ui {

class RunController;
class RunSource;

/// The right end of the status bar: what the run on show is doing, where, how fast, what watching costs, what is saved.
class StatusLine final : public QObject {
  Q_OBJECT
 public:
  explicit StatusLine(QStatusBar* bar, QObject* parent = nullptr);
  void present(const RunSource* source, const RunController& controller);

 private:
  QLabel* state_;
  QLabel* device_;
  QLabel* rate_;
  QLabel* watching_;
  QLabel* saved_;
};

}  // namespace meanflow::ui
