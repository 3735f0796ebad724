// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the studio promises about its speed, measured: `meanflow-studio --bench NAME --json`. Each measurement is a
// function that gives its keys; all of them have bench, p50_ms and p99_ms, or say in `error` what is in the way.
#pragma once
#include <QJsonObject>
#include <QString>
#include <cstdint>
#include <vector>

#include "ui/main_window.h"

namespace meanflow::ui {

class Theme;

/// How long frames (or whatever is measured) took, in milliseconds.
struct FrameTimes {
  std::vector<double> ms;
  double quantile(double q) const;  ///< 0.5: the median. 0 without frames.
  /// bench, p50_ms, p99_ms, max_ms.
  QJsonObject toJson(const QString& bench, const QString& what_is_counted) const;
};

/// Draws the curves panel over `num_points` points of one scalar, zoomed to a fifth of them, and pans it by one frame's
/// worth at a time. Keys: points, frames, fill_seconds, first_ms, p50_ms, p99_ms, max_ms, and the CPU
/// time of the thread as cpu_p50_ms and cpu_p99_ms.
QJsonObject benchCurves(const Theme& theme, std::int64_t num_points);

/// Starts `program` nine times with --first-frame and measures from before the start of the process until its window's
/// first frame has been handed to the screen. first_ms is the first time, when files may not be in memory yet.
QJsonObject benchStartup(const QString& program);

/// A window on a live run that says 10,000 steps a second and shows 25 grids of samples a second, for some seconds.
/// Frames are the turns of the event loop that took over 1 ms of the thread's CPU time. Also: events that
/// arrived, the share of time the thread was busy, memory at the beginning, growth of memory and bytes per event of it.
QJsonObject benchFlood(Theme& theme);

/// Writes a run of `num_events` made-up events and opens it: once without a pyramid (first_open_ms until curves are
/// shown, read_seconds until every point is there and the pyramid is written), then several times with it: p50_ms
/// from the request to the drawn curves of the whole run. longest_turn_ms: CPU time of the longest turn of the event
/// loop from then on until every point was read, smoothed and looked at. smoothing_ms: from a person's choice of
/// another smoothing of all points to its curve, and the longest turn meanwhile as smoothing_longest_turn_ms.
QJsonObject benchOpen(Theme& theme, std::int64_t num_events);

/// A grid of 10 classes x 8 noises in one step of the newest student of the run in `folder`, made again and again with
/// other seeds. first_ms includes reading the weights; p50_ms is from the request to the last image.
QJsonObject benchGrid(const TrainingHostFactory& factory, const QString& folder);

/// Trains the small demo's teacher headless and with the window open, twice each in turn: steps a second of both and
/// the share of the headless speed that is left, over the steps after nobody has been at the window for so long that it
/// takes itself for idle; as share_while_watched over the steps before. p50_ms and p99_ms are of the idle steps with
/// the window. window_cpu_share: what the window's thread took of one core meanwhile.
QJsonObject benchIdle(Theme& theme, const TrainingHostFactory& factory);

}  // namespace meanflow::ui
