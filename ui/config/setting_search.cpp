// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config/setting_search.h"

#include <QKeyEvent>
#include <QLineEdit>
#include <QListWidget>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/models/fuzzy_match.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {

std::vector<const base::FieldDoc*> findSettings(const std::vector<base::FieldDoc>& docs, const QString& text,
                                                std::size_t num_most) {
  std::vector<std::pair<int, const base::FieldDoc*>> ranked;
  for (const auto& doc : docs) {
    if (const auto match = fuzzyMatch(text, QString::fromStdString(doc.key))) {
      ranked.emplace_back(match->score, &doc);
    } else if (QString::fromStdString(doc.help).contains(text.trimmed(), Qt::CaseInsensitive)) {
      ranked.emplace_back(-1000, &doc);
    }
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<const base::FieldDoc*> found;
  for (const auto& [score, doc] : ranked) {
    if (found.size() < num_most) found.push_back(doc);
  }
  return found;
}

SettingSearch::SettingSearch(const Theme& theme, const QString& prompt, QWidget* parent)
    : QWidget(parent), docs_(base::schema()), line_(new QLineEdit), list_(new QListWidget) {
  line_->setPlaceholderText(prompt);
  line_->setAccessibleName(tr("Add another setting by name or help"));
  line_->setToolTip(tr("Letters of the name in order, such as \"tea lr\", or words of the help; Enter adds it"));
  line_->setClearButtonEnabled(true);
  line_->addAction(theme.icon(QStringLiteral("search"), &ThemeColors::muted), QLineEdit::LeadingPosition);
  line_->installEventFilter(this);
  list_->setAccessibleName(tr("Settings found"));
  list_->setFocusPolicy(Qt::NoFocus);  // Up and Down in the line move it
  list_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  list_->setFixedHeight(6 * (fontMetrics().lineSpacing() + 6));
  list_->hide();
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(2);
  layout->addWidget(line_);
  layout->addWidget(list_);
  connect(line_, &QLineEdit::textChanged, this, &SettingSearch::refresh);
  connect(list_, &QListWidget::itemClicked, this, &SettingSearch::pick);
}

void SettingSearch::refresh() {
  list_->clear();
  const QString text = line_->text();
  if (!text.trimmed().isEmpty()) {
    for (const auto* doc : findSettings(docs_, text, kNumMost)) {
      auto* item = new QListWidgetItem(QString::fromStdString(doc->key), list_);
      item->setToolTip(QString::fromStdString(doc->help));
      item->setData(Qt::AccessibleDescriptionRole, item->toolTip());
    }
    if (list_->count() == 0) {
      auto* nothing = new QListWidgetItem(tr("No setting is called that"), list_);
      nothing->setFlags(Qt::NoItemFlags);
    } else {
      list_->setCurrentRow(0);
    }
  }
  list_->setVisible(list_->count() > 0);
}

void SettingSearch::pick() {
  const auto* item = list_->currentItem();
  if (!item || !item->flags().testFlag(Qt::ItemIsEnabled)) return;
  const QString key = item->text();
  line_->clear();
  Q_EMIT picked(key);
}

bool SettingSearch::eventFilter(QObject* watched, QEvent* event) {
  if (watched != line_ || event->type() != QEvent::KeyPress) return QWidget::eventFilter(watched, event);
  switch (static_cast<QKeyEvent*>(event)->key()) {
    case Qt::Key_Up:
      list_->setCurrentRow(std::max(0, list_->currentRow() - 1));
      return true;
    case Qt::Key_Down:
      list_->setCurrentRow(std::min(list_->count() - 1, list_->currentRow() + 1));
      return true;
    case Qt::Key_Return:
    case Qt::Key_Enter:
      pick();
      return true;
    case Qt::Key_Escape:
      if (line_->text().isEmpty()) break;
      line_->clear();
      return true;
    default:
      break;
  }
  return QWidget::eventFilter(watched, event);
}

}  // namespace meanflow::ui
