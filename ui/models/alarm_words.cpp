// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/alarm_words.h"

#include <QCoreApplication>
#include <QStringList>
#include <algorithm>
#include <cmath>

#include "ui/theme/format.h"

namespace meanflow::ui {
namespace {

QString alarmText(const char* text) { return QCoreApplication::translate("AlarmWords", text); }

QString whereText(const std::string& stage, std::int64_t step) {
  return alarmText("%1, step %2").arg(stageTitle(stage), formatCount(step));
}

}  // namespace

AlarmWeight alarmWeight(const std::string& action) {
  if (action == "warn") return AlarmWeight::kWarning;
  return action == "skip" ? AlarmWeight::kSkipped : AlarmWeight::kGrave;
}

QString alarmKindText(const std::string& kind) {
  if (kind == "non_finite") return alarmText("Not finite");
  if (kind == "explosion") return alarmText("Explosion");
  if (kind == "spike") return alarmText("Spike");
  if (kind == "update") return alarmText("Large update");
  if (kind == "moments") return alarmText("Adam's moments");
  if (kind == "derivative") return alarmText("Finite difference");
  if (kind == "none") return alarmText("Nothing found");
  return QString::fromStdString(kind);
}

QString alarmFigureText(const std::string& figure) {
  if (figure == "update_norm") return alarmText("Update norm");
  if (figure == "param_norm") return alarmText("Parameter norm");
  if (figure == "exp_avg_sq_norm") return alarmText("Second moment");
  if (figure == "exp_avg_norm") return alarmText("First moment");
  if (figure == "delta_t") return QStringLiteral("δt");
  return scalarTitle(figure);
}

QString alarmActionText(const std::string& action) {
  if (action == "warn") return alarmText("warned");
  if (action == "skip") return alarmText("step skipped");
  if (action == "roll_back") return alarmText("rolled back");
  if (action == "stop") return alarmText("run stopped");
  return QString::fromStdString(action);
}

QString alarmValueText(const base::AlarmRaised& alarm) {
  if (alarm.kind == "derivative" && std::isfinite(alarm.typical))
    return alarmText("%1, best %2").arg(formatNumber(alarm.value), formatNumber(alarm.typical));
  QStringList parts = {std::isfinite(alarm.value) ? formatNumber(alarm.value) : alarmText("not finite")};
  if (std::isfinite(alarm.typical)) parts << alarmText("typically %1").arg(formatNumber(alarm.typical));
  if (std::isfinite(alarm.threshold)) parts << alarmText("bound %1").arg(formatNumber(alarm.threshold));
  return parts.join(QStringLiteral(", "));
}

QString alarmLine(const base::AlarmRaised& alarm) {
  const QString text = QString::fromStdString(alarm.text);
  const QString what = text.isEmpty() ? alarmText("%1: %2 %3")
                                            .arg(alarmKindText(alarm.kind), alarmFigureText(alarm.figure).toLower(),
                                                 alarmValueText(alarm))
                                      : text;
  // Most sentences say the step by themselves.
  const bool says_where = text.contains(QString::number(alarm.step));
  const QString line = says_where ? what : alarmText("%1: %2").arg(whereText(alarm.stage, alarm.step), what);
  if (alarm.action == "skip") return alarmText("Step skipped. %1").arg(line);
  if (alarm.action == "roll_back") return alarmText("Rolled back. %1").arg(line);
  if (alarm.action == "stop") return alarmText("Run stopped. %1").arg(line);
  return line;
}

QString diagnosisLine(const base::DiagnosisReady& diagnosis) {
  const QString where = whereText(diagnosis.stage, diagnosis.step);
  const QString text = alarmText("Diagnosis of %1: %2").arg(where, QString::fromStdString(diagnosis.text));
  return diagnosis.report.empty() ? text
                                  : alarmText("%1 (report in %2)").arg(text, QString::fromStdString(diagnosis.report));
}

std::vector<std::pair<QString, QString>> originFacts(const base::FaultOrigin& origin) {
  std::vector<std::pair<QString, QString>> facts;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) facts.emplace_back(alarmText(name), QString::fromStdString(value));
  };
  if (origin.step > 0) facts.emplace_back(alarmText("First in step"), formatCount(origin.step));
  add("Tensor", origin.tensor);
  add("Block", origin.block);
  add("Operation", origin.operation);
  if (origin.sample >= 0) facts.emplace_back(alarmText("Sample"), formatCount(origin.sample));
  if (origin.rank >= 0) facts.emplace_back(alarmText("Seen by rank"), QString::number(origin.rank));
  return facts;
}

std::int64_t badStep(const AlarmRow& row) {
  if (row.diagnosis && row.diagnosis->origin.step > 0) return row.diagnosis->origin.step;
  if (row.alarm && row.alarm->origin.step > 0) return row.alarm->origin.step;
  return row.step();
}

std::vector<AlarmRow> alarmRows(const base::MetricsStore& store) {
  struct Timed {
    double at = 0;
    AlarmRow row;
  };
  std::vector<Timed> rows;
  for (const auto& each : store.alarms()) rows.push_back({each.unix_seconds, {each.event, {}}});
  const auto num_alarms = static_cast<std::ptrdiff_t>(rows.size());
  for (const auto& each : store.diagnoses()) {
    const auto& found = each.event;
    // The newest alarm of that step: a step that was gone over again may have given several.
    const auto end = std::make_reverse_iterator(rows.begin());
    const auto alarm = std::find_if(std::make_reverse_iterator(rows.begin() + num_alarms), end, [&](const Timed& row) {
      return row.row.alarm->stage == found.stage && row.row.alarm->step == found.step && !row.row.diagnosis;
    });
    if (alarm == end)
      rows.push_back({each.unix_seconds, {{}, found}});
    else
      alarm->row.diagnosis = found;
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Timed& a, const Timed& b) { return a.at < b.at; });
  std::vector<AlarmRow> newest_first;
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) newest_first.push_back(std::move(row->row));
  return newest_first;
}

}  // namespace meanflow::ui
