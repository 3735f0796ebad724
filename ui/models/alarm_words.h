// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/metrics/metrics_store.h"

namespace meanflow::ui {

/// How much an alarm did to the run, from what it was answered with.
enum class AlarmWeight { kWarning, kSkipped, kGrave };
AlarmWeight alarmWeight(const std::string& action);

QString alarmKindText(const std::string& kind);      ///< "Not finite", "Spike"; unknown ones as they are.
QString alarmFigureText(const std::string& figure);  ///< "Loss", "Update norm"; likewise.
QString alarmActionText(const std::string& action);  ///< "step skipped", "run stopped".
/// "812, typically 0.9, bound 90"; what is not known is left out. Of a finite difference's step: "0.001, best 0.03".
QString alarmValueText(const base::AlarmRaised& alarm);
/// One line for the log: what was done, where, and the alarm's sentence.
QString alarmLine(const base::AlarmRaised& alarm);
QString diagnosisLine(const base::DiagnosisReady& diagnosis);
/// What is known of where it went wrong first: names and values.
std::vector<std::pair<QString, QString>> originFacts(const base::FaultOrigin& origin);

/// An alarm, and what a replay of its step found; one of the two may be missing.
struct AlarmRow {
  std::optional<base::AlarmRaised> alarm;
  std::optional<base::DiagnosisReady> diagnosis;
  const std::string& stage() const { return alarm ? alarm->stage : diagnosis->stage; }
  std::int64_t step() const { return alarm ? alarm->step : diagnosis->step; }
};
/// The step that went wrong, as far as is known: the one the alarm was raised in may be a later one.
std::int64_t badStep(const AlarmRow& row);
/// Newest first.
std::vector<AlarmRow> alarmRows(const base::MetricsStore& store);

}  // namespace meanflow::ui
