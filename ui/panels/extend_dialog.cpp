// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/extend_dialog.h"

#include <QComboBox>
#include <QDialogButtonBox>
#include <QFileInfo>
#include <QFormLayout>
#include <QLabel>
#include <QPushButton>
#include <QSpinBox>
#include <QVBoxLayout>
#include <algorithm>

#include "core/base/config/config_io.h"
#include "ui/theme/format.h"

namespace meanflow::ui {

ExtendDialog::ExtendDialog(const QString& folder, QWidget* parent)
    : QDialog(parent),
      folder_(folder),
      text_(new QLabel),
      stage_(new QComboBox),
      steps_(new QSpinBox),
      buttons_(new QDialogButtonBox) {
  setObjectName(QStringLiteral("extend"));
  setWindowTitle(tr("Extend %1").arg(QFileInfo(folder).fileName()));
  setAttribute(Qt::WA_DeleteOnClose);
  text_->setWordWrap(true);
  text_->setText(tr("Reading config.yaml…"));
  stage_->setAccessibleName(tr("Stage to train longer"));
  steps_->setAccessibleName(tr("Steps of the stage in all"));
  steps_->setToolTip(tr("Optimizer steps of the stage in all, those already done included"));
  steps_->setGroupSeparatorShown(true);
  auto* start = buttons_->addButton(tr("Extend now"), QDialogButtonBox::AcceptRole);
  auto* queue = buttons_->addButton(tr("Queue"), QDialogButtonBox::ActionRole);
  auto* cancel = buttons_->addButton(QDialogButtonBox::Cancel);
  start->setAccessibleName(tr("Extend now"));
  queue->setAccessibleName(tr("Put into the queue"));
  cancel->setAccessibleName(tr("Cancel"));
  connect(buttons_, &QDialogButtonBox::rejected, this, &QDialog::reject);
  connect(start, &QPushButton::clicked, this, [this] {
    Q_EMIT extendRequested(folder_, assignment());
    accept();
  });
  connect(queue, &QPushButton::clicked, this, [this] {
    Q_EMIT queueRequested(folder_, assignment());
    accept();
  });
  connect(stage_, &QComboBox::currentIndexChanged, this, &ExtendDialog::chooseStage);
  auto* form = new QFormLayout;
  form->addRow(tr("Stage"), stage_);
  form->addRow(tr("Steps"), steps_);
  auto* layout = new QVBoxLayout(this);
  layout->addWidget(text_);
  layout->addLayout(form);
  layout->addWidget(buttons_);
  for (QWidget* widget : {static_cast<QWidget*>(stage_), static_cast<QWidget*>(steps_), static_cast<QWidget*>(start),
                          static_cast<QWidget*>(queue)})
    widget->setEnabled(false);
  setMinimumWidth(420);
  background_.run(
      this, [path = (folder + QStringLiteral("/config.yaml")).toStdString()] { return base::loadConfig(path); },
      [this, start, queue](const base::Result<base::RunConfig>& config) {
        if (!config.ok()) {
          text_->setText(QString::fromStdString(config.error().message));
          fitText();
          return;
        }
        present(*config);
        fitText();
        const bool has_stage = stage_->count() > 0;
        for (QWidget* widget : {static_cast<QWidget*>(stage_), static_cast<QWidget*>(steps_),
                                static_cast<QWidget*>(start), static_cast<QWidget*>(queue)})
          widget->setEnabled(has_stage);
        steps_->setFocus();
        steps_->selectAll();
      });
}

void ExtendDialog::fitText() {
  // The window was sized for the short text that stood here while the file was read.
  layout()->activate();
  resize(width(), std::max(height(), layout()->totalHeightForWidth(width())));
}

void ExtendDialog::present(const base::RunConfig& config) {
  for (const auto& stage : config.stages) {
    // The control shares cmt.training; a report has no steps.
    const std::string key = stage + ".training.steps";
    const auto steps = base::getValue(config, key);
    if (!steps.ok()) continue;
    stage_->addItem(stageTitle(stage), QString::fromStdString(key));
    stage_->setItemData(stage_->count() - 1, QString::fromStdString(*steps).toInt(), Qt::UserRole + 1);
  }
  stage_->setCurrentIndex(stage_->count() - 1);
  text_->setText(stage_->count() == 0
                     ? tr("No stage of this run trains anything, so there is nothing to extend.")
                     : tr("The stage goes on from its last checkpoint with more steps. Its learning rate follows the "
                          "schedule of the new length. Stages after it keep what they have learnt from it as it was."));
  chooseStage();
}

void ExtendDialog::chooseStage() {
  const int now = stage_->currentData(Qt::UserRole + 1).toInt();
  steps_->setRange(now + 1, 1'000'000'000);
  steps_->setSingleStep(std::max(1, now / 10));
  steps_->setValue(now + std::max(1, now / 2));
}

QString ExtendDialog::assignment() const {
  return stage_->currentData().toString() + QLatin1Char('=') + QString::number(steps_->value());
}

}  // namespace meanflow::ui
