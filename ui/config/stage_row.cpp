// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config/stage_row.h"

#include <QFile>
#include <QGridLayout>
#include <QMenu>
#include <QResizeEvent>
#include <QToolButton>
#include <algorithm>

#include "ui/models/imported_stages.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {

constexpr int kColumnWidth = 168;

const base::TrainingConfig* trainingOf(const base::RunConfig& config, const std::string& stage) {
  if (stage == "encoder") return &config.encoder.training;
  if (stage == "decoder") return &config.decoder.training;
  if (stage == "teacher") return &config.teacher.training;
  if (stage == "cmt") return &config.cmt.training;
  return stage == "mean_flow" ? &config.mean_flow.training : nullptr;
}

}  // namespace

StageRow::StageRow(const Theme& theme, QWidget* parent) : QWidget(parent), theme_(theme), grid_(new QGridLayout(this)) {
  setAccessibleName(tr("Stages of the new run"));
  grid_->setContentsMargins(0, 0, 0, 0);
  grid_->setSpacing(5);
}

QToolButton* StageRow::button(const std::string& stage) const {
  for (const auto& entry : entries_)
    if (entry.stage == stage) return entry.button;
  return nullptr;
}

void StageRow::rebuild(const std::vector<std::string>& stages) {
  for (const auto& entry : entries_) delete entry.button;
  entries_.clear();
  stages_ = stages;
  num_columns_ = 0;
  for (const auto& stage : stages) {
    if (!trainingOf(base::RunConfig{}, stage)) continue;  // control and report are not taken from files
    auto* button = new QToolButton(this);
    button->setProperty("framed", true);
    button->setFocusPolicy(Qt::StrongFocus);
    button->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    button->setPopupMode(QToolButton::InstantPopup);
    button->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Fixed);
    button->setMinimumWidth(60);
    auto* menu = new QMenu(button);
    button->setMenu(menu);
    entries_.push_back({stage, button, menu});
  }
  arrange();
}

void StageRow::arrange() {
  const int count = static_cast<int>(entries_.size());
  if (count == 0) return;
  const int columns = std::clamp(width() / kColumnWidth, 1, count);
  if (columns == num_columns_) return;
  for (int c = 0; c < num_columns_; ++c) grid_->setColumnStretch(c, 0);
  num_columns_ = columns;
  for (int i = 0; i < count; ++i)
    grid_->addWidget(entries_[static_cast<std::size_t>(i)].button, i / columns, i % columns);
  for (int c = 0; c < columns; ++c) grid_->setColumnStretch(c, 1);
}

void StageRow::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  arrange();
}

void StageRow::present(const base::RunConfig& config) {
  if (config.stages != stages_) rebuild(config.stages);
  for (const auto& entry : entries_) {
    const QString title = stageTitle(entry.stage);
    const QString source = importedFrom(config, entry.stage);
    const bool is_published = entry.stage == "encoder" && config.encoder.kind != "trained";
    const QString what = !source.isEmpty() ? tr("imported")
                         : is_published    ? tr("published")
                                           : tr("%1 steps").arg(formatCount(trainingOf(config, entry.stage)->steps));
    entry.button->setText(QStringLiteral("%1: %2").arg(title, what));
    entry.button->setAccessibleName(tr("Stage %1, %2").arg(title, what));
    entry.button->setToolTip(
        !source.isEmpty() ? tr("%1 is not trained: its weights are those of %2").arg(title, source)
        : is_published    ? tr("A published encoder, frozen; a checkpoint or hub name has to say where it is")
                          : tr("%1\nTrained by this run, unless a checkpoint is used").arg(stagePurpose(entry.stage)));
    const QString icon = QStringLiteral(":/studio/icons/%1.svg").arg(QString::fromStdString(entry.stage));
    entry.button->setIcon(!source.isEmpty() ? theme_.icon(QStringLiteral("open"), &ThemeColors::accent)
                                            : theme_.icon(QFile::exists(icon) ? QString::fromStdString(entry.stage)
                                                                              : QStringLiteral("stage")));
    fillMenu(entry, config);
  }
}

void StageRow::fillMenu(const Entry& entry, const base::RunConfig& config) {
  entry.menu->clear();
  const QString stage = QString::fromStdString(entry.stage);
  const auto add = [&](const QString& text, auto action) {
    connect(entry.menu->addAction(text), &QAction::triggered, this, action);
  };
  add(tr("Use a checkpoint…"), [this, stage] { Q_EMIT checkpointWanted(stage, false); });
  add(tr("Use a Hugging Face folder…"), [this, stage] { Q_EMIT checkpointWanted(stage, true); });
  if (!importedFrom(config, entry.stage).isEmpty())
    add(tr("Train it instead"), [this, stage] { Q_EMIT trainingWanted(stage); });
  if (entry.stage == "decoder") {
    entry.menu->addSeparator();
    add(tr("Use latent statistics…"), [this] { Q_EMIT checkpointWanted(QStringLiteral("statistics"), false); });
    if (!config.decoder.statistics.empty())
      add(tr("Measure the statistics instead"), [this] { Q_EMIT trainingWanted(QStringLiteral("statistics")); });
  }
  entry.menu->addSeparator();
  add(tr("Show its settings"), [this, stage] { Q_EMIT settingsWanted(stage); });
}

}  // namespace meanflow::ui
