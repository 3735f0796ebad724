// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config/choice_ticks.h"

#include <QCheckBox>
#include <QGridLayout>
#include <algorithm>

namespace meanflow::ui {
namespace {

constexpr int kColumns = 2;

QStringList wordsOf(const QString& text) {
  QString inner = text.trimmed();
  if (inner.startsWith(u'[') && inner.endsWith(u']')) inner = inner.mid(1, inner.size() - 2);
  QStringList words;
  for (auto word : inner.split(u',', Qt::SkipEmptyParts)) {
    word = word.trimmed();
    if (word.size() > 1 && (word.startsWith(u'"') || word.startsWith(u'\'')) && word.endsWith(word.front()))
      word = word.mid(1, word.size() - 2);
    if (!word.isEmpty()) words << word;
  }
  return words;
}

}  // namespace

ChoiceTicks::ChoiceTicks(const QString& name, const std::vector<std::string>& choices, QWidget* parent)
    : QWidget(parent) {
  auto* grid = new QGridLayout(this);
  grid->setContentsMargins(0, 0, 0, 0);
  grid->setHorizontalSpacing(10);
  grid->setVerticalSpacing(2);
  for (const auto& each : choices) {
    const QString choice = QString::fromStdString(each);
    choices_ << choice;
    auto* box = new QCheckBox(choice);
    box->setAccessibleName(tr("%1: %2").arg(name, choice));
    connect(box, &QCheckBox::clicked, this, [this, choice](bool is_on) { toggle(choice, is_on); });
    const int at = static_cast<int>(boxes_.size());
    grid->addWidget(box, at / kColumns, at % kColumns);
    boxes_.push_back(box);
  }
  grid->setColumnStretch(kColumns, 1);
  if (!boxes_.empty()) setFocusProxy(boxes_.front());
}

void ChoiceTicks::setText(const QString& text) {
  text_ = text;
  chosen_ = wordsOf(text);
  for (std::size_t i = 0; i < boxes_.size(); ++i)
    boxes_[i]->setChecked(chosen_.contains(choices_[static_cast<qsizetype>(i)]));
}

void ChoiceTicks::toggle(const QString& choice, bool is_on) {
  QStringList next;
  for (const auto& word : chosen_)
    if (choices_.contains(word) && word != choice && !next.contains(word)) next << word;
  if (is_on) {
    const auto place = choices_.indexOf(choice);
    const auto behind =
        std::find_if(next.begin(), next.end(), [&](const QString& word) { return choices_.indexOf(word) > place; });
    next.insert(behind, choice);
  }
  setText(QStringLiteral("[%1]").arg(next.join(QStringLiteral(", "))));
  Q_EMIT edited(text_);
}

}  // namespace meanflow::ui
