// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QFrame>
#include <QLabel>
#include <QWidget>

class QBoxLayout;

namespace meanflow::ui {

class Theme;

/// What a panel shows while it has nothing to show: why, and what to do about it.
class EmptyState final : public QWidget {
  Q_OBJECT
 public:
  EmptyState(const Theme& theme, const QString& icon_name, QWidget* parent = nullptr);
  void setText(const QString& title, const QString& advice);

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  void makeRoom();  ///< Where there is too little, for the words.
  QWidget* picture_;
  QLabel* title_;
  QLabel* advice_;
};

/// A line across the top of a panel or window for something that went wrong and stays true until it is over.
class Banner final : public QFrame {
  Q_OBJECT
 public:
  /// `can_close`: with a button that takes it away.
  explicit Banner(const Theme& theme, bool can_close = false, QWidget* parent = nullptr);
  void showMessage(const QString& message, bool is_error);
  QString message() const { return text_->text(); }

 private:
  QLabel* icon_;
  QLabel* text_;
  const Theme& theme_;
};

}  // namespace meanflow::ui
