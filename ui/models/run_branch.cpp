// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/run_branch.h"

#include <QCoreApplication>
#include <QDir>
#include <QFileInfo>
#include <QStringList>

#include "ui/theme/format.h"

namespace meanflow::ui {
namespace {
QString branchText(const char* text) { return QCoreApplication::translate("RunBranch", text); }
}  // namespace

QString parentFolder(const QString& folder, const base::RunBranched& branch) {
  const QString parent = QString::fromStdString(branch.parent);
  if (parent.isEmpty()) return {};
  // As a rule absolute; otherwise the two lie side by side.
  return QDir::cleanPath(QFileInfo(folder).absoluteDir().absoluteFilePath(parent));
}

QString branchPlace(const base::RunBranched& branch) {
  return branchText("branch of %1 at %2 step %3")
      .arg(QFileInfo(QDir::cleanPath(QString::fromStdString(branch.parent))).fileName(), stageTitle(branch.stage),
           formatCount(branch.step));
}

QString branchLine(const base::RunBranched& branch) {
  QStringList changes;
  for (const auto& change : branch.changes)
    changes << QString::fromStdString(change).replace(QStringLiteral(" -> "), QStringLiteral(" → "));
  if (changes.isEmpty()) return branchPlace(branch);
  return branchText("%1: %2").arg(branchPlace(branch), changes.join(QStringLiteral(", ")));
}

}  // namespace meanflow::ui
