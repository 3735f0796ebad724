// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QPalette>
#include <QString>

#include "ui/panes/imgui_widget.h"

struct ImGuiStyle;

namespace meanflow::ui {

/// The colours of a pane under `palette`.
PaneColors paneColors(const QPalette& palette);

/// Sets every colour and measure of `style`, so that a change of theme leaves nothing behind.
void applyLook(const PaneColors& colors, ImGuiStyle& style);

/// DejaVu Sans where the system keeps it, else any sans-serif TrueType file of that family's kin, else empty.
QString uiFontFile();

/// Code points of the atlas: Latin, Greek, Cyrillic, punctuation, arrows, mathematics; pairs ending with 0, static.
const unsigned short* uiGlyphRanges();

}  // namespace meanflow::ui
