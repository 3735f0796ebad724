// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>
#include <string>

#include "core/base/config/run_config.h"

namespace meanflow::ui {

/// The file, folder or hub name whose weights stand in for a stage; empty where the stage is trained.
QString importedFrom(const base::RunConfig& config, const std::string& stage);

/// The same in few letters: a file's name, the last part of a hub name, "demo, step 200" for a run's checkpoint.
QString shortSource(const QString& source);

}  // namespace meanflow::ui
