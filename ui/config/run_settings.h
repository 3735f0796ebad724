// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <QPointer>
#include <QString>
#include <optional>

#include "core/base/config/run_config.h"
#include "core/base/events/training_event.h"
#include "ui/models/run_source.h"
#include "ui/models/studio_state.h"

namespace meanflow::ui {

/// The settings of the run on show: its config.yaml, read on another thread and again whenever the run changes a
/// setting, and from it the values that were in force at the step cursor.
class RunSettings final : public QObject {
  Q_OBJECT
 public:
  explicit RunSettings(QObject* parent = nullptr);

  void setSource(RunSource* source);
  void setCursor(const QString& stage, qint64 step, bool is_live);

  bool hasRun() const { return source_ != nullptr; }
  bool isKnown() const { return newest_.has_value(); }
  const QString& problem() const { return problem_; }  ///< Why it cannot be shown; empty while reading.
  QString runName() const;
  /// As config.yaml has it now. Only when known.
  const base::RunConfig& newest() const { return *newest_; }
  /// At the cursor: later changes are taken back. Only when known.
  const base::RunConfig& inForce() const { return in_force_; }
  /// The last change of a setting at or before the cursor.
  std::optional<base::SettingChanged> lastChange(const std::string& key) const;
  QString cursorText() const;  ///< "now", or "at step 700 of Teacher".

 Q_SIGNALS:
  void changed();

 private:
  void read();
  void derive();
  bool isAfterCursor(const base::SettingChanged& change) const;

  QPointer<RunSource> source_;
  std::optional<base::RunConfig> newest_;
  base::RunConfig in_force_;
  QString problem_;
  StepCursor cursor_;
  bool is_live_ = true;
  std::uint64_t seen_settings_ = 0, seen_runs_ = 0;
  int reading_ = 0;  ///< Counts readings: of several under way the last one counts.
  Background background_;
};

}  // namespace meanflow::ui
