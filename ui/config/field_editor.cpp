// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config/field_editor.h"

#include <QCheckBox>
#include <QComboBox>
#include <QEvent>
#include <QGridLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QStyle>
#include <QToolButton>
#include <QWheelEvent>
#include <algorithm>
#include <cmath>

#include "ui/config/choice_ticks.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {

constexpr int kNameWidth = 110, kGap = 6;  // pixels

QString lastName(const QString& key) { return key.section(QLatin1Char('.'), -1); }

QString limitText(double value) {
  return std::abs(value) >= 1e4 && value == std::floor(value) && std::abs(value) < 1e16
             ? formatCount(static_cast<std::int64_t>(value))
             : QString::number(value, 'g', 12);
}

}  // namespace

QString rangeText(const base::FieldDoc& doc) {
  const bool is_number = doc.type == "integer" || doc.type == "number" || doc.type == "integers";
  if (!is_number || (std::isinf(doc.min) && std::isinf(doc.max))) return {};
  if (std::isinf(doc.max)) return FieldEditor::tr("at least %1").arg(limitText(doc.min));
  if (std::isinf(doc.min)) return FieldEditor::tr("at most %1").arg(limitText(doc.max));
  return FieldEditor::tr("%1 to %2").arg(limitText(doc.min), limitText(doc.max));
}

FieldEditor::FieldEditor(const Theme& theme, base::FieldDoc doc, bool has_full_name, QWidget* parent)
    : QWidget(parent),
      theme_(theme),
      doc_(std::move(doc)),
      name_(new QLabel),
      mark_(new QLabel),
      reset_(new QToolButton),
      unit_(new QLabel),
      help_(new QLabel),
      problem_(new QLabel) {
  name_->setText(has_full_name ? key() : lastName(key()));
  name_->setToolTip(key());
  name_->setWordWrap(has_full_name);
  name_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  mark_->setFixedWidth(10);
  buildEditor();
  unit_->setText(QString::fromStdString(doc_.unit));
  unit_->setProperty("muted", true);
  unit_->setFixedWidth(fontMetrics().horizontalAdvance(QStringLiteral("micro-batches")));  // the editors line up
  reset_->setIcon(theme_.icon(QStringLiteral("undo")));
  reset_->setAutoRaise(true);
  reset_->setFocusPolicy(Qt::StrongFocus);
  reset_->setAccessibleName(tr("Reset %1").arg(key()));
  // Its room is kept while it is hidden: nothing moves while a person types.
  QSizePolicy policy = reset_->sizePolicy();
  policy.setRetainSizeWhenHidden(true);
  reset_->setSizePolicy(policy);
  connect(reset_, &QToolButton::clicked, this, &FieldEditor::resetRequested);

  help_->setProperty("muted", true);
  help_->setWordWrap(true);
  QFont small = font();
  small.setPointSizeF(small.pointSizeF() * 0.92);
  help_->setFont(small);
  problem_->setProperty("bad", true);
  problem_->setWordWrap(true);

  grid_ = new QGridLayout(this);
  grid_->setContentsMargins(0, 2, 0, 4);
  grid_->setHorizontalSpacing(kGap);
  grid_->setVerticalSpacing(1);
  arrange();
}

void FieldEditor::arrange() {
  const bool has_unit = !doc_.unit.empty();
  for (QWidget* each :
       {static_cast<QWidget*>(mark_), static_cast<QWidget*>(name_), editor(), static_cast<QWidget*>(unit_),
        static_cast<QWidget*>(reset_), static_cast<QWidget*>(help_), static_cast<QWidget*>(problem_)})
    grid_->removeWidget(each);
  grid_->addWidget(mark_, 0, 0);
  if (is_narrow_) {
    grid_->addWidget(name_, 0, 1, 1, 3);
    grid_->addWidget(editor(), 1, 1, 1, has_unit ? 2 : 3);
    if (has_unit) grid_->addWidget(unit_, 1, 3);
  } else {
    grid_->addWidget(name_, 0, 1);
    grid_->addWidget(editor(), 0, 2);
    grid_->addWidget(unit_, 0, 3);
  }
  grid_->addWidget(reset_, is_narrow_ ? 1 : 0, 4);
  grid_->addWidget(help_, 2, 1, 1, 4);
  grid_->addWidget(problem_, 3, 1, 1, 4);
  unit_->setVisible(has_unit || !is_narrow_);
  grid_->setColumnStretch(1, 2);
  grid_->setColumnStretch(2, 3);
  grid_->setColumnMinimumWidth(1, is_narrow_ ? 0 : kNameWidth);
}

void FieldEditor::setNarrow(bool is_narrow) {
  if (is_narrow == is_narrow_) return;
  is_narrow_ = is_narrow;
  arrange();
}

int FieldEditor::nameWidth() const {
  QFont bold = font();  // as it is written once the setting is changed
  bold.setBold(true);
  return QFontMetrics(bold).horizontalAdvance(name_->text()) + 4;
}

int FieldEditor::wideWidth() const {
  const int editing = std::max(editor()->minimumSizeHint().width(), editor()->minimumWidth());
  return mark_->width() + std::max(kNameWidth, nameWidth()) + editing + unit_->maximumWidth() +
         reset_->sizeHint().width() + 4 * kGap;
}

int FieldEditor::narrowWidth() const {
  const int editing = std::max(editor()->minimumSizeHint().width(), editor()->minimumWidth()) +
                      (doc_.unit.empty() ? 0 : unit_->maximumWidth() + kGap);
  return mark_->width() + std::max(nameWidth(), editing) + reset_->sizeHint().width() + 3 * kGap;
}

void FieldEditor::buildEditor() {
  const QString name = doc_.unit.empty() ? key() : tr("%1 in %2").arg(key(), QString::fromStdString(doc_.unit));
  if (doc_.type == "boolean") {
    check_ = new QCheckBox(tr("on"));
    connect(check_, &QCheckBox::clicked, this, [this] {
      Q_EMIT edited(text());
      Q_EMIT committed();
    });
  } else if (doc_.type == "text" && !doc_.choices.empty()) {
    combo_ = new QComboBox;
    for (const auto& choice : doc_.choices) combo_->addItem(QString::fromStdString(choice));
    combo_->setMinimumContentsLength(8);
    combo_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    connect(combo_, &QComboBox::activated, this, [this] {
      Q_EMIT edited(text());
      Q_EMIT committed();
    });
  } else if (doc_.type == "texts" && !doc_.choices.empty()) {
    ticks_ = new ChoiceTicks(key(), doc_.choices);
    connect(ticks_, &ChoiceTicks::edited, this, [this](const QString& list) {
      Q_EMIT edited(list);
      Q_EMIT committed();
    });
  } else {
    line_ = new QLineEdit;
    line_->setMinimumWidth(60);
    line_->setPlaceholderText(doc_.type == "text" ? tr("none") : rangeText(doc_));
    connect(line_, &QLineEdit::textEdited, this, [this](const QString& typed) {
      is_typing_ = true;
      Q_EMIT edited(typed);
      is_typing_ = false;
    });
    connect(line_, &QLineEdit::editingFinished, this, &FieldEditor::committed);
  }
  editor()->setAccessibleName(name);
  editor()->setAccessibleDescription(QString::fromStdString(doc_.help));
  editor()->installEventFilter(this);
}

QWidget* FieldEditor::editor() const {
  if (check_) return check_;
  if (combo_) return combo_;
  if (ticks_) return ticks_;
  return line_;
}

QString FieldEditor::text() const {
  if (check_) return check_->isChecked() ? QStringLiteral("true") : QStringLiteral("false");
  if (ticks_) return ticks_->text();
  return combo_ ? combo_->currentText() : line_->text();
}

bool FieldEditor::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::ShortcutOverride || event->type() == QEvent::KeyPress) {
    // Undo and redo are the form's, over all its settings, not the line's own.
    const auto* key = static_cast<QKeyEvent*>(event);
    if (key->matches(QKeySequence::Undo) || key->matches(QKeySequence::Redo) ||
        (key->key() == Qt::Key_Z && key->modifiers().testFlag(Qt::ControlModifier))) {
      event->ignore();
      return true;
    }
  }
  // The wheel scrolls the form; it does not change a setting that the pointer happens to be over.
  if (event->type() == QEvent::Wheel && combo_ && watched == combo_) {
    event->ignore();
    return true;
  }
  return QWidget::eventFilter(watched, event);
}

void FieldEditor::present(const FieldState& state) {
  if (state == state_ && text() == state.text) return;
  state_ = state;
  if (check_) {
    check_->setChecked(state.text == QLatin1String("true"));
    check_->setText(check_->isChecked() ? tr("on") : tr("off"));
  } else if (combo_) {
    combo_->setCurrentText(state.text);
  } else if (ticks_) {
    ticks_->setText(state.text);
  } else if (line_->text() != state.text && !is_typing_) {
    // What is being typed stays as it is: "1e-1" may go on to be "1e-10".
    line_->setText(state.text);
    if (!line_->hasFocus()) line_->setCursorPosition(0);
  }
  editor()->setEnabled(state.can_edit);
  QFont bold = font();
  bold.setBold(state.is_changed);
  name_->setFont(bold);
  const QColor ink = !state.problem.isEmpty() ? theme_.colors().bad : theme_.colors().accent;
  mark_->setText(state.is_changed || !state.problem.isEmpty()
                     ? QStringLiteral("<span style='color:%1'>●</span>").arg(ink.name())
                     : QString());
  mark_->setToolTip(state.is_changed ? tr("Differs from %1").arg(state.baseline_name) : QString());
  reset_->setVisible(state.is_changed && state.can_reset);
  reset_->setToolTip(
      tr("Back to %1, as in %2").arg(state.baseline.isEmpty() ? tr("nothing") : state.baseline, state.baseline_name));
  QString help = QString::fromStdString(doc_.help);
  const QString range = rangeText(doc_);
  const QString standard = QString::fromStdString(doc_.default_text);
  if (!range.isEmpty()) help += QStringLiteral(" · ") + range;
  help += QStringLiteral(" · ") + (state.text == standard ? tr("the default") : tr("default %1").arg(standard));
  if (!state.remark.isEmpty()) help += QLatin1Char('\n') + state.remark;
  help_->setText(help);
  problem_->setText(state.problem);
  problem_->setVisible(!state.problem.isEmpty());
  editor()->setProperty("invalid", !state.problem.isEmpty());
  editor()->style()->unpolish(editor());
  editor()->style()->polish(editor());
}

}  // namespace meanflow::ui
