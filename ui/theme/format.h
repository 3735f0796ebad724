// SPDX-License-Identifier: GPL-3.0-or-later
//
// How numbers, durations and names are written everywhere in the window.
#pragma once
#include <QString>
#include <cstdint>
#include <string_view>

#include "core/base/events/training_event.h"

namespace meanflow::ui {

QString formatCount(std::int64_t value);  ///< "12 345" in the person's locale.
QString formatNumber(double value);       ///< Four significant digits: "0.5123", "1.2e-05"; "–" for NaN.
QString formatShort(double value);        ///< "1.4 M", "36 k".
QString formatDuration(double seconds);   ///< "3 min 20 s", "2 h 05 min"; "–" when negative or NaN.
QString formatBytes(std::int64_t bytes);
QString stageTitle(std::string_view stage);    ///< "Teacher", "CMT", "MeanFlow"; unknown names as they are.
QString stagePurpose(std::string_view stage);  ///< One line for tooltips.
QString runStateText(base::RunState state);
QString scalarTitle(std::string_view name);  ///< "Loss", "Gradient norm", ...; unknown names as they are.

}  // namespace meanflow::ui
