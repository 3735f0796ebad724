// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QWidget>

class QLabel;
class QScrollArea;
class QToolButton;

namespace meanflow::ui {

/// A sentence in one line, cut short in its end where there is no room for it, and what is behind it as a tool tip and,
/// unfolded by a click, below: at most a third of the parent's height, scrolled beyond.
class FoldedWords final : public QWidget {
  Q_OBJECT
 public:
  /// `name`: what the button is called aloud before its sentence.
  explicit FoldedWords(const QString& name, QWidget* parent = nullptr);

  void setWords(const QString& headline, const QString& words);
  const QString& headline() const { return headline_; }
  QString words() const;
  QToolButton& button() { return *button_; }
  bool isUnfolded() const;

 protected:
  void resizeEvent(QResizeEvent* event) override;
  bool eventFilter(QObject* watched, QEvent* event) override;  ///< Of the parent: its height.

 private:
  void fit();

  QString name_, headline_;
  QToolButton* button_;
  QLabel* words_;
  QScrollArea* scroll_;
};

}  // namespace meanflow::ui
