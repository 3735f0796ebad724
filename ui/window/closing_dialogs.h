// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <functional>

class QProgressDialog;
class QWidget;

namespace meanflow::ui {

/// Asks whether the live run may be stopped so that the window can close, and calls `stop` if so. Not while the
/// question is open already, or answered. Does not wait: events of the run go on being shown.
void askToStop(QWidget* window, const std::function<void()>& stop);

/// Says that the run is being stopped and saved; its button calls `discard`. Stays until it is deleted.
QProgressDialog* showStopping(QWidget* window, const std::function<void()>& discard);

}  // namespace meanflow::ui
