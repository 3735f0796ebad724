// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/log_store.h"

#include <QCoreApplication>

#include "ui/models/alarm_words.h"
#include "ui/models/run_branch.h"
#include "ui/theme/format.h"

namespace meanflow::ui {
namespace {

QString inLog(const char* text) { return QCoreApplication::translate("LogStore", text); }

struct InWords {
  std::set<std::string, std::less<>>& untrained;
  LogLevel level = LogLevel::kInfo;
  QString text = {};

  void operator()(const base::LogMessage& e) {
    text = QString::fromStdString(e.text);
    level = e.level == "error"                          ? LogLevel::kError
            : e.level == "warn" || e.level == "warning" ? LogLevel::kWarning
            : e.level == "debug" || e.level == "trace"  ? LogLevel::kDebug
                                                        : LogLevel::kInfo;
  }
  void operator()(const base::RunStarted& e) {
    if (e.num_workers == 0) {
      text = inLog("%1: recorded by another program").arg(QString::fromStdString(e.run_name));
      return;
    }
    text = (e.is_resumed ? inLog("Run %1 continues on %2 with %3 workers, seed %4")
                         : inLog("Run %1 starts on %2 with %3 workers, seed %4"))
               .arg(QString::fromStdString(e.run_name), QString::fromStdString(e.device))
               .arg(e.num_workers)
               .arg(e.seed);
  }
  void operator()(const base::StateChanged& e) {
    level = LogLevel::kDebug;
    text = inLog("State: %1").arg(runStateText(e.state));
  }
  void operator()(const base::StageStarted& e) {
    if (e.total_steps == 0) {
      text = inLog("%1 begins behind step %2").arg(stageTitle(e.stage), formatCount(e.step));
      return;
    }
    untrained.erase(e.stage);
    if (e.num_parameters <= 0) {
      untrained.insert(e.stage);
      text = inLog("%1 starts").arg(stageTitle(e.stage));
      return;
    }
    text = inLog("%1 starts at step %2 of %3, %4 parameters")
               .arg(stageTitle(e.stage), formatCount(e.step), formatCount(e.total_steps),
                    formatShort(static_cast<double>(e.num_parameters)));
  }
  void operator()(const base::StageFinished& e) {
    if (untrained.contains(e.stage))
      text = inLog("%1 finished in %2").arg(stageTitle(e.stage), formatDuration(e.wall_seconds));
    else
      text = (e.step == 1 ? inLog("%1 finished: %2 step in %3") : inLog("%1 finished: %2 steps in %3"))
                 .arg(stageTitle(e.stage), formatCount(e.step), formatDuration(e.wall_seconds));
  }
  void operator()(const base::CheckpointSaved& e) {
    text = inLog("Checkpoint saved: %1 (%2)").arg(QString::fromStdString(e.path), formatBytes(e.bytes));
  }
  void operator()(const base::SettingChanged& e) {
    level = LogLevel::kWarning;
    text = inLog("%1 changed from %2 to %3 at step %4")
               .arg(QString::fromStdString(e.key), QString::fromStdString(e.old_value),
                    QString::fromStdString(e.new_value), formatCount(e.step));
  }
  void operator()(const base::MetricsReady& e) {
    QStringList parts;
    for (const auto& metric : e.metrics)
      parts << QString::fromStdString(metric.name) + u' ' + formatNumber(metric.value);
    text = inLog("Measured: %1").arg(parts.join(QStringLiteral(", ")));
  }
  void operator()(const base::AlarmRaised& e) {
    level = alarmWeight(e.action) == AlarmWeight::kWarning ? LogLevel::kWarning : LogLevel::kError;
    text = alarmLine(e);
  }
  void operator()(const base::DiagnosisReady& e) {
    level = e.kind == "none" ? LogLevel::kInfo : LogLevel::kWarning;
    text = diagnosisLine(e);
  }
  void operator()(const base::RunBranched& e) { text = branchLine(e); }
  void operator()(const base::RunFailed& e) {
    level = LogLevel::kError;
    text = QString::fromStdString(e.what);
  }
  void operator()(const base::RunFinished& e) { text = inLog("Run ended: %1").arg(QString::fromStdString(e.outcome)); }
  template <class Other>
  void operator()(const Other&) {}
};

}  // namespace

bool LogStore::apply(const base::EventRecord& record) {
  std::visit(
      [this](const auto& e) {
        if constexpr (requires {
                        e.stage;
                        e.step;
                      }) {
          if (!e.stage.empty()) {
            at_.stage = e.stage;  // assigning keeps the capacity: no allocation a step
            at_.step = e.step;
          }
        }
      },
      record.event);
  if (std::holds_alternative<base::StepCompleted>(record.event)) return false;
  InWords words{untrained_};
  std::visit(words, record.event);
  if (words.text.isEmpty()) return false;
  lines_.push_back({next_number_++, record.unix_seconds, words.level, words.text.toStdString(), at_});
  if (lines_.size() > kMaxLines) lines_.pop_front();
  return true;
}

}  // namespace meanflow::ui
