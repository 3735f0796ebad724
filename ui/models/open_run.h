// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>
#include <memory>

#include "core/base/result.h"
#include "ui/models/run_source.h"

namespace meanflow::ui {

/// A source for what lies at `path`: a run folder of the studio, or a folder, event file or log of another program. The
/// error is one sentence that says what is wrong.
base::Result<std::unique_ptr<RunSource>> openRun(const QString& path);

/// The folder that a dropped or chosen thing stands for: itself, or the folder of a file inside a run.
QString runFolderOf(const QString& path);

}  // namespace meanflow::ui
