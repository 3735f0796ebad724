// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config/checkpoint_dialog.h"

#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QStyle>
#include <QTreeWidget>
#include <QVBoxLayout>

#include "ui/theme/format.h"

namespace meanflow::ui {

QString checkpointPlace(const QString& what) {
  return what == QLatin1String("statistics") ? CheckpointDialog::tr("latent statistics")
                                             : stageTitle(what.toStdString());
}

CheckpointDialog::CheckpointDialog(const QString& what, const QString& source, QWidget* parent)
    : QDialog(parent),
      text_(new QLabel),
      busy_(new QProgressBar),
      changes_title_(new QLabel(tr("Settings that change with it"))),
      changes_(new QTreeWidget),
      use_(new QPushButton(tr("Use it"))),
      another_(new QPushButton(tr("Choose another…"))),
      close_(new QPushButton(tr("Cancel"))) {
  setWindowTitle(tr("Use a checkpoint: %1").arg(checkpointPlace(what)));
  setMinimumWidth(520);
  auto* place = new QLabel(source);
  place->setWordWrap(true);
  place->setProperty("muted", true);
  place->setTextInteractionFlags(Qt::TextSelectableByMouse);
  text_->setWordWrap(true);
  text_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  text_->setText(tr("Looking into it: names and shapes of its tensors…"));
  busy_->setRange(0, 0);
  busy_->setTextVisible(false);
  busy_->setAccessibleName(tr("The checkpoint is being looked into"));
  changes_title_->setProperty("heading", true);
  changes_->setAccessibleName(changes_title_->text());
  changes_->setHeaderLabels({tr("Setting"), tr("Now"), tr("With the checkpoint")});
  changes_->setRootIsDecorated(false);
  changes_->setUniformRowHeights(true);
  changes_->setMinimumHeight(110);
  changes_title_->hide();
  changes_->hide();
  use_->setProperty("primary", true);
  use_->setEnabled(false);
  another_->hide();
  for (auto* button : {use_, another_, close_}) button->setAccessibleName(button->text());
  auto* buttons = new QHBoxLayout;
  buttons->addStretch(1);
  buttons->addWidget(close_);
  buttons->addWidget(another_);
  buttons->addWidget(use_);
  auto* layout = new QVBoxLayout(this);
  layout->setSpacing(9);
  layout->addWidget(place);
  layout->addWidget(text_);
  layout->addWidget(busy_);
  layout->addWidget(changes_title_);
  layout->addWidget(changes_, 1);
  layout->addStretch();
  layout->addLayout(buttons);
  connect(use_, &QPushButton::clicked, this, &QDialog::accept);
  connect(close_, &QPushButton::clicked, this, &QDialog::reject);
  connect(another_, &QPushButton::clicked, this, [this] {
    Q_EMIT anotherWanted();
    reject();
  });
}

QString CheckpointDialog::text() const { return text_->text(); }

void CheckpointDialog::present(const base::CheckpointFinding& finding) {
  finding_ = finding;
  busy_->hide();
  const bool is_refused = !finding.refusal.empty();
  text_->setProperty("bad", is_refused);
  text_->style()->unpolish(text_);
  text_->style()->polish(text_);
  use_->setEnabled(!is_refused);
  use_->setVisible(!is_refused);
  another_->setVisible(is_refused);
  if (is_refused) {
    text_->setText(QString::fromStdString(finding.refusal));
    close_->setText(tr("Close"));
    close_->setAccessibleName(close_->text());
    adjustSize();
    return;
  }
  QStringList lines = {QString::fromStdString(finding.description)};
  if (finding.stage == "statistics")
    lines << tr("Mean and variance are finite.");
  else if (finding.num_computed > 0)
    lines << tr("Complete: %1 of %2 tensors are in the file (%3), %4 are tables that the network computes.")
                 .arg(formatCount(finding.num_tensors - finding.num_computed), formatCount(finding.num_tensors),
                      QString::fromStdString(finding.weights), formatCount(finding.num_computed));
  else
    lines << tr("Complete: all %1 tensors are in the file (%2).")
                 .arg(formatCount(finding.num_tensors), QString::fromStdString(finding.weights));
  for (const auto& text : finding.assumed) lines << tr("Assumed: %1").arg(QString::fromStdString(text));
  for (const auto& text : finding.notes) lines << tr("Note: %1").arg(QString::fromStdString(text));
  if (finding.changes.empty()) lines << tr("It fits the settings as they are.");
  text_->setText(lines.join(QLatin1Char('\n')));
  changes_->clear();
  for (const auto& change : finding.changes)
    new QTreeWidgetItem(changes_, {QString::fromStdString(change.key), QString::fromStdString(change.a),
                                   QString::fromStdString(change.b)});
  for (int column = 0; column < 3; ++column) changes_->resizeColumnToContents(column);
  changes_title_->setVisible(!finding.changes.empty());
  changes_->setVisible(!finding.changes.empty());
  use_->setDefault(true);
  use_->setFocus();
  adjustSize();
}

}  // namespace meanflow::ui
