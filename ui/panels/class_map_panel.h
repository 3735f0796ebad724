// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QPointer>
#include <QWidget>

#include "ui/models/class_scores.h"

class QComboBox;
class QLabel;
class QLineEdit;
class QStackedLayout;
class QTreeWidget;

namespace meanflow::ui {

class ClassMap;
class EmptyState;
class Theme;

/// How well each class is recognised in what a network makes, a cell a class; or which classes one way of making images
/// has won and lost against another. The list beside the map has the weakest classes, or the largest changes. A click
/// asks for images of the class.
class ClassMapPanel final : public QWidget {
  Q_OBJECT
 public:
  explicit ClassMapPanel(const Theme& theme, QWidget* parent = nullptr);

  void setSource(RunSource* source);
  ClassMap& map() { return *map_; }
  ClassScores& scores() { return scores_; }
  QTreeWidget& list() { return *list_; }
  /// Keys of the rows, e.g. "student_1" against "cmt_1"; an empty second one: accuracy alone.
  void choose(const QString& row, const QString& against);
  QString verdict() const;
  bool showsMap() const;

 Q_SIGNALS:
  void classChosen(int label);

 private:
  void present();
  void fillRows();
  void presentAccuracy(const ClassScoreRow& row);
  void presentChange(const ClassScoreRow& before, const ClassScoreRow& after);
  void search();
  void showText(const QString& text);
  const ClassScoreRow* find(const QString& key) const;
  QString className(int label) const;
  void addLine(int label, const QStringList& texts, double order);

  QPointer<RunSource> source_;
  ClassScores scores_;
  QStackedLayout* pages_;
  EmptyState* empty_;
  QComboBox* row_;
  QComboBox* against_;
  QLineEdit* search_;
  QLabel* verdict_;
  QLabel* read_out_;
  ClassMap* map_;
  QTreeWidget* list_;
};

}  // namespace meanflow::ui
