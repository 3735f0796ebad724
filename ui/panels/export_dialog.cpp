// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/export_dialog.h"

#include <QComboBox>
#include <QDialogButtonBox>
#include <QDir>
#include <QFileDialog>
#include <QFileInfo>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QVBoxLayout>

#include "ui/theme/format.h"

namespace meanflow::ui {

ExportDialog::ExportDialog(const QString& title, const QString& run_folder, const std::string& stage, qint64 step,
                           QWidget* parent)
    : QDialog(parent),
      run_folder_(run_folder),
      stage_(stage),
      step_(step),
      format_(new QComboBox),
      weights_(new QComboBox),
      path_(new QLineEdit),
      remark_(new QLabel) {
  setObjectName(QStringLiteral("export"));
  setWindowTitle(tr("Export %1").arg(title));
  setAttribute(Qt::WA_DeleteOnClose);
  for (const auto& [name, text] : {std::pair{"safetensors", tr("safetensors: one file of names and tensors")},
                                   {"pt", tr("pt: a state dict of torch.save")},
                                   {"npz", tr("npz: numpy arrays")},
                                   {"hf", tr("hf: a folder for Hugging Face, with config.json")}})
    format_->addItem(text, QLatin1String(name));
  for (const auto& [name, text] : {std::pair{"ema", tr("The average (EMA), which makes the better images")},
                                   {"model", tr("The weights themselves")},
                                   {"both", tr("Both, as the official trainers write them")}})
    weights_->addItem(text, QLatin1String(name));
  format_->setAccessibleName(tr("Format"));
  format_->setToolTip(tr("What the weights are written as; the names of the tensors are the official ones"));
  weights_->setAccessibleName(tr("Which weights"));
  weights_->setToolTip(tr("Both sets fit into a .pt file only"));
  path_->setAccessibleName(tr("Where to write"));
  path_->setToolTip(tr("File to write, for Hugging Face a folder"));
  remark_->setWordWrap(true);
  remark_->setProperty("muted", true);
  auto* browse = new QPushButton(tr("Choose…"));
  browse->setAccessibleName(tr("Choose where to write"));
  auto* place = new QHBoxLayout;
  place->addWidget(path_, 1);
  place->addWidget(browse);
  auto* buttons = new QDialogButtonBox;
  go_ = buttons->addButton(tr("Export"), QDialogButtonBox::AcceptRole);
  go_->setAccessibleName(tr("Export"));
  buttons->addButton(QDialogButtonBox::Cancel)->setAccessibleName(tr("Cancel"));
  auto* form = new QFormLayout;
  form->addRow(tr("Format"), format_);
  form->addRow(tr("Weights"), weights_);
  form->addRow(tr("To"), place);
  auto* layout = new QVBoxLayout(this);
  layout->addLayout(form);
  layout->addWidget(remark_);
  layout->addWidget(buttons);
  connect(browse, &QPushButton::clicked, this, &ExportDialog::choosePlace);
  connect(format_, &QComboBox::activated, this, &ExportDialog::refresh);
  connect(weights_, &QComboBox::activated, this, &ExportDialog::refresh);
  connect(path_, &QLineEdit::textEdited, this, [this] {
    is_path_chosen_ = true;
    refresh();
  });
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
  connect(buttons, &QDialogButtonBox::accepted, this, [this] {
    Q_EMIT exportRequested(order());
    accept();
  });
  setMinimumWidth(560);
  refresh();
}

QString ExportDialog::format() const { return format_->currentData().toString(); }

QString ExportDialog::suggestedPath() const {
  const QFileInfo run(run_folder_);
  const QString name = QStringLiteral("%1-%2-%3").arg(run.fileName(), QString::fromStdString(stage_)).arg(step_);
  const QString ending = format() == QLatin1String("hf") ? QString() : QLatin1Char('.') + format();
  return run.dir().filePath(name + ending);
}

void ExportDialog::refresh() {
  const bool can_both = format() == QLatin1String("pt");
  if (!can_both && weights_->currentIndex() == 2) weights_->setCurrentIndex(0);
  if (!is_path_chosen_) path_->setText(suggestedPath());
  const QFileInfo target(path_->text());
  const bool is_named = !path_->text().trimmed().isEmpty() && target.isAbsolute();
  QString remark;
  if (!is_named)
    remark = tr("Give the whole path of the file to write.");
  else if (weights_->currentIndex() == 2)
    remark = tr("{model, ema, train_steps}, as the official trainers' latest.pt.");
  else if (target.exists())
    remark = tr("%1 is there already and will be replaced once the new one is complete.").arg(target.fileName());
  else
    remark = tr("It appears complete or not at all.");
  remark_->setText(remark);
  go_->setEnabled(is_named && (can_both || weights_->currentIndex() != 2));
}

void ExportDialog::choosePlace() {
  const QString path = format() == QLatin1String("hf")
                           ? QFileDialog::getSaveFileName(this, tr("A new folder"), path_->text())
                           : QFileDialog::getSaveFileName(this, tr("A file"), path_->text());
  if (path.isEmpty()) return;
  path_->setText(path);
  is_path_chosen_ = true;
  refresh();
}

base::ExportOrder ExportDialog::order() const {
  return {.run_folder = run_folder_.toStdString(),
          .stage = stage_,
          .step = step_,
          .format = format().toStdString(),
          .weights = weights_->currentData().toString().toStdString(),
          .out = path_->text().trimmed().toStdString(),
          .replace = QFileInfo::exists(path_->text().trimmed())};
}

}  // namespace meanflow::ui
