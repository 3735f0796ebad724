// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config/new_run_checks.h"

#include <QFileDialog>
#include <QFileInfo>

#include "core/base/config/field_table.h"
#include "ui/config/checkpoint_dialog.h"
#include "ui/models/imported_stages.h"

namespace meanflow::ui {

NewRunChecks::NewRunChecks(const Theme& theme, ConfigDraft& draft, QWidget* parent)
    : QObject(parent),
      answers_(this),
      draft_(draft),
      window_(parent),
      page_(new PreflightPage(theme, preflight_)),
      pick_([this](const QString& what, bool is_folder) { return askFile(what, is_folder); }) {
  const auto tell = [this] {
    if (page_->isVisible()) page_->setSettings(draft_.yaml());
  };
  connect(&draft_, &ConfigDraft::edited, this, tell);
  connect(&draft_, &ConfigDraft::replaced, this, tell);
}

CheckpointDialog* NewRunChecks::dialog() const { return dialog_; }

void NewRunChecks::setHost(base::TrainingHost* host) {
  host_ = host;
  preflight_.setHost(host);
  if (!host_ && dialog_) dialog_->reject();
}

void NewRunChecks::startPreflight(const QString& run_folder) {
  const QString yaml = draft_.yaml();
  page_->setSettings(yaml);
  if (const QString why = preflight_.start(yaml, run_folder); !why.isEmpty()) Q_EMIT refused(why);
}

QString NewRunChecks::askFile(const QString& what, bool is_folder) const {
  const QString title = tr("Use a checkpoint: %1").arg(checkpointPlace(what));
  const QString named = what == QLatin1String("statistics") ? QString::fromStdString(draft_.config().decoder.statistics)
                                                            : importedFrom(draft_.config(), what.toStdString());
  const QString start = QFileInfo::exists(named) ? QFileInfo(named).absolutePath() : QString();
  if (is_folder) return QFileDialog::getExistingDirectory(window_, title, start);
  return QFileDialog::getOpenFileName(
      window_, title, start, tr("Checkpoints (*.pt *.pth *.ckpt *.bin *.safetensors *.npz *.json);;All files (*)"));
}

void NewRunChecks::askCheckpoint(const QString& what, bool is_folder) {
  if (!host_) {
    Q_EMIT refused(tr("The training library, which looks into checkpoints, is not loaded; the setting %1 can be typed.")
                       .arg(QString::fromStdString(base::checkpointKey(what.toStdString()))));
    return;
  }
  if (const QString source = pick_(what, is_folder); !source.isEmpty()) inspect(what, source);
}

void NewRunChecks::inspect(const QString& what, const QString& source) {
  if (!host_) return;
  if (dialog_) dialog_->reject();
  dialog_ = new CheckpointDialog(what, source, window_);
  dialog_->setAttribute(Qt::WA_DeleteOnClose);
  connect(dialog_, &QDialog::accepted, this, [this] { use(dialog_->finding()); });
  connect(dialog_, &CheckpointDialog::anotherWanted, this, [this, what, source] {
    const bool is_folder = QFileInfo(source).isDir();
    // Once this dialog is gone.
    QMetaObject::invokeMethod(
        this, [this, what, is_folder] { askCheckpoint(what, is_folder); }, Qt::QueuedConnection);
  });
  dialog_->open();
  host_->inspectCheckpoint(
      {what.toStdString(), source.toStdString(), draft_.yaml().toStdString()},
      answers_.to<base::CheckpointFinding>([this, dialog = dialog_](const base::CheckpointFinding& finding) {
        if (dialog) dialog->present(finding);
      }));
}

void NewRunChecks::use(const base::CheckpointFinding& finding) {
  base::RunConfig config = draft_.config();
  for (const auto& change : finding.changes) {
    // Values that the schema itself wrote; one that cannot be set would have been refused.
    [[maybe_unused]] const auto set = base::setValue(config, change.key, change.b);
  }
  const auto table = base::fieldTable(config);
  draft_.endEdit();
  draft_.undoStack().beginMacro(tr("checkpoint for %1").arg(checkpointPlace(QString::fromStdString(finding.stage))));
  for (const auto& change : finding.changes) {
    if (const auto* field = table.find(change.key))
      draft_.edit(QString::fromStdString(change.key), settingText(*field));
  }
  draft_.edit(QString::fromStdString(finding.key), QString::fromStdString(finding.source));
  draft_.undoStack().endMacro();
  draft_.endEdit();
}

void NewRunChecks::forgetCheckpoint(const QString& what) {
  draft_.endEdit();
  draft_.edit(QString::fromStdString(base::checkpointKey(what.toStdString())), QString());
  draft_.endEdit();
}

}  // namespace meanflow::ui
