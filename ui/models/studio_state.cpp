// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/studio_state.h"

#include <QDir>
#include <QFileInfo>

#include "core/base/run/atomic_file.h"

namespace meanflow::ui {

QString stateFolder() {
  const QString base = qEnvironmentVariable("XDG_STATE_HOME");
  // The specification: a path that is not absolute is to be ignored.
  return (QDir::isAbsolutePath(base) ? base : QDir::homePath() + QStringLiteral("/.local/state")) +
         QStringLiteral("/meanflow-studio");
}

QString Background::writeFile(const QString& path, const QByteArray& content) {
  const QString folder = QFileInfo(path).absolutePath();
  if (!QDir().mkpath(folder)) return QStringLiteral("%1 cannot be made; check its permissions").arg(folder);
  const auto written = base::writeFileAtomically(
      path.toStdString(), std::string_view(content.constData(), static_cast<std::size_t>(content.size())));
  return written.ok() ? QString() : QString::fromStdString(written.error().message);
}

}  // namespace meanflow::ui
