// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/open_run.h"

#include <QFileInfo>

#include "core/base/run/trace_folder.h"
#include "ui/models/foreign_run_source.h"
#include "ui/models/recorded_run_source.h"

namespace meanflow::ui {

base::Result<std::unique_ptr<RunSource>> openRun(const QString& path) {
  const QFileInfo info(path);
  const auto made = [](RunSource* source) {
    return base::Result<std::unique_ptr<RunSource>>(std::unique_ptr<RunSource>(source));
  };
  const bool is_ours = info.isDir() && QFileInfo::exists(path + QStringLiteral("/events.jsonl"));
  if (!is_ours && info.exists()) {
    // RAE and mf-rae leave a config.yaml, too; a run of the studio that has said nothing yet has an inbox.
    const bool may_be_new = QFileInfo::exists(path + QStringLiteral("/config.yaml"));
    const bool is_new = may_be_new && QFileInfo(path + QStringLiteral("/inbox")).isDir();
    if (!is_new && base::hasTraces(path.toStdString())) {
      const auto foreign = ForeignRunSource::check(path);
      if (!foreign.ok()) return foreign.error();
      return made(new ForeignRunSource(path));
    }
    if (!may_be_new && info.isReadable() && (!info.isDir() || info.isExecutable())) {
      if (const auto foreign = ForeignRunSource::check(path); !foreign.ok()) return foreign.error();
    }
  }
  if (const auto checked = RecordedRunSource::check(path); !checked.ok()) return checked.error();
  return made(new RecordedRunSource(path));
}

QString runFolderOf(const QString& path) {
  const QFileInfo info(path);
  return info.isFile() && info.fileName() == QLatin1String("events.jsonl") ? info.absolutePath()
                                                                           : info.absoluteFilePath();
}

}  // namespace meanflow::ui
