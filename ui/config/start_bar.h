// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QWidget>

class QLabel;
class QLineEdit;
class QPushButton;
class QToolButton;

namespace meanflow::ui {

class Theme;

/// Where a new run goes and the buttons that start it. Says in words what stands in the way.
class StartBar final : public QWidget {
  Q_OBJECT
 public:
  explicit StartBar(const Theme& theme, QWidget* parent = nullptr);

  QString name() const;
  QString parentFolder() const { return parent_folder_; }
  QString folder() const;  ///< Where the run would go.
  /// `is_suggestion`: replaced by the next suggestion unless a person has typed a name.
  void setName(const QString& name, bool is_suggestion);
  void setParentFolder(const QString& folder);
  /// What is wrong with the settings; empty: nothing.
  void setProblems(const QStringList& problems);
  /// Why nothing can be started here at all; empty: it can.
  void setTrainingProblem(const QString& problem);
  /// The first thing that stands in the way of a start, as a sentence that says what to change; empty: nothing.
  QString obstacle() const;

 Q_SIGNALS:
  void changed();  ///< Name or place, by a person.
  void startRequested();
  void queueRequested();
  void preflightRequested();
  void problemPicked(const QString& key);

 private:
  void refresh();
  void askFolder();

  QLineEdit* name_;
  QToolButton* place_;
  QPushButton* start_;
  QPushButton* queue_;
  QPushButton* preflight_;
  QLabel* line_;
  QString parent_folder_;
  QStringList problems_;
  QString training_problem_;
  bool is_suggested_ = true;
};

/// `name`, or `name-2`, `name-3`, ...: the first for which `folder` holds nothing yet.
QString freeRunName(const QString& folder, const QString& name);

/// Why no run called `name` can be made in `folder`, in a sentence that says what to change; empty: one can.
QString runNameObstacle(const QString& folder, const QString& name);

}  // namespace meanflow::ui
