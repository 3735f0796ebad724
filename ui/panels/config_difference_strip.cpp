// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/config_difference_strip.h"

#include <QFileInfo>
#include <QHeaderView>
#include <QToolButton>
#include <QTreeWidget>
#include <QVBoxLayout>
#include <algorithm>
#include <map>
#include <vector>

#include "core/base/config/config_io.h"
#include "ui/config/config_loading.h"

namespace meanflow::ui {

ConfigDifferenceStrip::ConfigDifferenceStrip(QWidget* parent)
    : QWidget(parent), button_(new QToolButton), table_(new QTreeWidget) {
  setAccessibleName(tr("Settings that differ"));
  button_->setAccessibleName(tr("Settings that differ"));
  button_->setCheckable(true);
  button_->setProperty("framed", true);
  button_->setArrowType(Qt::RightArrow);
  button_->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
  button_->setFocusPolicy(Qt::StrongFocus);
  button_->setToolTip(tr("In which settings the runs whose curves are compared differ"));
  table_->setAccessibleName(tr("Settings that differ, a column a run"));
  table_->setRootIsDecorated(false);
  table_->setUniformRowHeights(true);
  table_->setAlternatingRowColors(true);
  table_->header()->setStretchLastSection(true);
  table_->hide();
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(6, 2, 6, 2);
  layout->setSpacing(2);
  layout->addWidget(button_, 0, Qt::AlignLeft);
  layout->addWidget(table_);
  connect(button_, &QToolButton::toggled, this, [this](bool is_on) {
    button_->setArrowType(is_on ? Qt::DownArrow : Qt::RightArrow);
    table_->setVisible(is_on && table_->topLevelItemCount() > 0);
  });
  hide();
}

QString ConfigDifferenceStrip::headline() const { return button_->text(); }

void ConfigDifferenceStrip::compare(const QString& folder, const QStringList& others) {
  const QStringList wanted = folder.isEmpty() || others.isEmpty() ? QStringList() : QStringList{folder} + others;
  if (wanted == compared_) return;
  compared_ = wanted;
  const int reading = ++reading_;
  if (wanted.isEmpty()) {
    hide();
    return;
  }
  background_.run(
      this, [folder, others] { return read(folder, others); },
      [this, reading](const Answer& answer) {
        if (reading == reading_) present(answer);
      });
}

ConfigDifferenceStrip::Answer ConfigDifferenceStrip::read(const QString& folder, const QStringList& others) {
  Answer answer;
  std::vector<base::RunConfig> configs;
  for (const auto& each : QStringList{folder} + others) {
    auto config = base::loadConfig(configFileOf(each).toStdString());
    const QString name = QFileInfo(each).fileName();
    if (!config.ok()) {
      answer.trouble += tr(" · the settings of %1 cannot be read").arg(name);
      if (configs.empty()) return answer;
      continue;
    }
    answer.runs << name;
    configs.push_back(std::move(*config));
  }
  std::map<QString, QStringList> rows;
  for (std::size_t i = 1; i < configs.size(); ++i) {
    for (const auto& each : base::difference(configs.front(), configs[i])) {
      auto& row = rows[QString::fromStdString(each.key)];
      // Where only another run differs, this one has what the run on show has.
      while (row.size() < static_cast<qsizetype>(configs.size())) row << QString::fromStdString(each.a);
      row[static_cast<qsizetype>(i)] = QString::fromStdString(each.b);
    }
  }
  for (const auto& [key, values] : rows) {
    answer.keys << key;
    answer.values << values;
  }
  return answer;
}

void ConfigDifferenceStrip::present(const Answer& answer) {
  table_->clear();
  table_->setHeaderLabels(QStringList{tr("Setting")} + answer.runs);
  for (qsizetype i = 0; i < answer.keys.size(); ++i) {
    auto* item = new QTreeWidgetItem(QStringList{answer.keys[i]} + answer.values[i]);
    for (int c = 0; c < item->columnCount(); ++c) item->setToolTip(c, item->text(c));
    table_->addTopLevelItem(item);
  }
  for (int c = 0; c < table_->columnCount(); ++c) table_->resizeColumnToContents(c);
  const int num_rows = std::clamp(table_->topLevelItemCount(), 1, 7);
  table_->setFixedHeight(table_->header()->sizeHint().height() + num_rows * (fontMetrics().height() + 6) + 4);
  QString text;
  if (answer.runs.size() > 1)
    text = answer.keys.isEmpty() ? tr("All settings are the same")
                                 : tr("Settings that differ: %1").arg(answer.keys.size());
  else
    text = tr("Settings are not compared");
  button_->setText(text + answer.trouble);
  button_->setEnabled(!answer.keys.isEmpty());
  table_->setVisible(button_->isChecked() && !answer.keys.isEmpty());
  show();
}

}  // namespace meanflow::ui
