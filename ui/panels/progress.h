// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QProgressBar>

namespace meanflow::ui {

/// QProgressBar::setValue paints at once, and the whole window with it if there is an OpenGL pane in it; this leaves it
/// to the next painting.
inline void showProgress(QProgressBar& bar, int value) {
  bar.setUpdatesEnabled(false);
  bar.setValue(value);
  bar.setUpdatesEnabled(true);
}

}  // namespace meanflow::ui
