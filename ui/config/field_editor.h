// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QWidget>

#include "core/base/config/config_io.h"

class QCheckBox;
class QComboBox;
class QGridLayout;
class QLabel;
class QLineEdit;
class QToolButton;

namespace meanflow::ui {

class ChoiceTicks;
class Theme;

/// What a form shows of one setting.
struct FieldState {
  QString text;
  QString problem;          ///< Why the text is not valid; empty: it is.
  QString baseline;         ///< What a reset goes back to.
  QString baseline_name;    ///< In words: "preset demo".
  bool is_changed = false;  ///< From the baseline.
  bool can_edit = true;
  bool can_reset = true;
  QString remark;  ///< A line below the help: why it cannot change, what is under way.
  bool operator==(const FieldState&) const = default;
};

/// One line of a form: name, editor, unit, a way back, and below it what the setting means and what is wrong with it.
class FieldEditor final : public QWidget {
  Q_OBJECT
 public:
  FieldEditor(const Theme& theme, base::FieldDoc doc, bool has_full_name, QWidget* parent = nullptr);

  const base::FieldDoc& doc() const { return doc_; }
  QString key() const { return QString::fromStdString(doc_.key); }
  void present(const FieldState& state);
  QWidget* editor() const;  ///< Takes the focus.
  QString text() const;

  /// The name above the editor, where there is no room for it beside; see the two widths.
  void setNarrow(bool is_narrow);
  int wideWidth() const;
  int narrowWidth() const;

 Q_SIGNALS:
  void edited(const QString& text);  ///< With every letter.
  void committed();                  ///< Enter, a choice made, or the focus went on.
  void resetRequested();

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void buildEditor();
  void arrange();
  int nameWidth() const;

  const Theme& theme_;
  base::FieldDoc doc_;
  FieldState state_;
  bool is_typing_ = false;
  QLabel* name_;
  QLabel* mark_;
  QCheckBox* check_ = nullptr;
  QComboBox* combo_ = nullptr;
  QLineEdit* line_ = nullptr;
  ChoiceTicks* ticks_ = nullptr;
  QToolButton* reset_;
  QLabel* unit_;
  QGridLayout* grid_ = nullptr;
  bool is_narrow_ = false;
  QLabel* help_;
  QLabel* problem_;
};

/// The words for what a setting accepts: "1 to 1000", "at least 0"; empty when anything goes.
QString rangeText(const base::FieldDoc& doc);

}  // namespace meanflow::ui
