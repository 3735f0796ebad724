// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QFrame>
#include <QStringList>

class QLabel;
class QProgressBar;
class QPushButton;
class QToolButton;

namespace meanflow::ui {

class ReplayJob;
class Theme;

/// A replay that was asked for: that it goes on and a way to cancel it, then what it found or why it found nothing.
/// Hidden before the first one and once it is closed.
class ReplayStrip final : public QFrame {
  Q_OBJECT
 public:
  explicit ReplayStrip(const Theme& theme, QWidget* parent = nullptr);

  void setJob(ReplayJob* job);
  QString text() const;                                  ///< What it says, without the heading.
  QStringList facts() const { return facts_in_words_; }  ///< "Tensor: latents" and the like.

 Q_SIGNALS:
  void openRequested(const QString& folder);  ///< Of the report.

 private:
  void present();

  ReplayJob* job_ = nullptr;
  QLabel* title_;
  QLabel* text_;
  QLabel* facts_;
  QProgressBar* busy_;
  QPushButton* cancel_;
  QPushButton* report_;
  QToolButton* close_;
  QString folder_;
  QStringList facts_in_words_;
};

}  // namespace meanflow::ui
