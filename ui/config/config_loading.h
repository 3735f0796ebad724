// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>
#include <string>

#include "core/base/config/config_io.h"

namespace meanflow::ui {

/// A configuration read on another thread, and what there is to say about it.
struct LoadedConfig {
  base::Result<base::RunConfig> config = base::Error{};
  QString report;  ///< Of an official file.
};

/// A preset, a YAML file of ours, or one of the reference repositories.
LoadedConfig loadAnyConfig(const std::string& path_or_preset);

/// The configuration a folder or file stands for.
QString configFileOf(const QString& path);

}  // namespace meanflow::ui
