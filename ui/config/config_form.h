// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>
#include <QWidget>
#include <functional>
#include <vector>

#include "ui/config/field_editor.h"

class QLabel;
class QLineEdit;
class QScrollArea;
class QTreeWidget;
class QTreeWidgetItem;
class QVBoxLayout;

namespace meanflow::ui {

class EmptyState;

/// The settings of the schema as a form: sections as a tree at the left, the settings of the chosen one at the right, a
/// search over all of them above. Knows no values: it asks `state` for what to show and says what a person did.
class ConfigForm final : public QWidget {
  Q_OBJECT
 public:
  static constexpr int kMaxFound = 40;
  using StateOf = std::function<FieldState(const base::FieldDoc&)>;

  ConfigForm(const Theme& theme, StateOf state, QWidget* parent = nullptr);

  /// Shows the section a setting is in and gives its editor the focus.
  void showSetting(const QString& key);
  void focusSearch();
  const QString& section() const { return section_; }
  FieldEditor* editorOf(const QString& key) const;  ///< Null when it is not on show.

 public Q_SLOTS:
  void setSection(const QString& key);
  void setSearch(const QString& text);
  void refresh();                         ///< All values on show, and the marks in the tree.
  void refreshField(const QString& key);  ///< One value.

 Q_SIGNALS:
  void edited(const QString& key, const QString& text);
  void committed(const QString& key);
  void resetRequested(const QString& key);

 protected:
  void resizeEvent(QResizeEvent* event) override;
  bool eventFilter(QObject* watched, QEvent* event) override;  ///< Of the settings' place: its width.

 private:
  void buildTree();
  void rebuild();
  std::vector<const base::FieldDoc*> wanted() const;
  void markTree();
  void fitEditors();  ///< Names above their editors where not all fit beside.
  void fitTree();

  const Theme& theme_;
  StateOf state_;
  std::vector<base::FieldDoc> docs_;
  std::vector<base::SectionDoc> sections_;
  QString section_;
  QString search_;
  QLineEdit* search_line_;
  QTreeWidget* tree_;
  QScrollArea* scroll_;
  QWidget* page_ = nullptr;
  std::vector<FieldEditor*> editors_;
  std::vector<std::pair<QString, QTreeWidgetItem*>> items_;
};

}  // namespace meanflow::ui
