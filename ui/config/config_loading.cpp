// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config/config_loading.h"

#include <QFileInfo>

#include "core/base/config/official_config.h"

namespace meanflow::ui {

LoadedConfig loadAnyConfig(const std::string& path_or_preset) {
  LoadedConfig loaded;
  if (const auto path = base::configPath(path_or_preset); path.ok()) {
    if (auto official = base::readOfficialConfig(*path); official.ok()) {
      loaded.report = QString::fromStdString(base::mappingText(*official));
      for (const auto& warning : official->warnings)
        loaded.report.prepend(QString::fromStdString(warning) + QLatin1Char('\n'));
      loaded.config = std::move(official->config);
      return loaded;
    }
  }
  loaded.config = base::loadConfig(path_or_preset);
  return loaded;
}

QString configFileOf(const QString& path) {
  return QFileInfo(path).isDir() ? path + QStringLiteral("/config.yaml") : path;
}

}  // namespace meanflow::ui
