// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>
#include <QWidget>

#include "core/base/config/run_config.h"

class QLabel;
class QPlainTextEdit;
class QTabWidget;
class QTreeWidget;

namespace meanflow::ui {

class Theme;

/// What the form amounts to: the YAML file with the changed lines marked, the list of differences, and the report of
/// the last import.
class ConfigYamlView final : public QWidget {
  Q_OBJECT
 public:
  explicit ConfigYamlView(const Theme& theme, QWidget* parent = nullptr);

  void present(const base::RunConfig& config, const base::RunConfig& baseline, const QString& baseline_name);
  /// Scrolls the YAML to a setting.
  void showSetting(const QString& key);
  void showImportReport(const QString& text);  ///< Empty: none, the tab goes.
  QStringList changedKeys() const;

 Q_SIGNALS:
  void settingPicked(const QString& key);  ///< In the list of differences.

 private:
  void mark();

  const Theme& theme_;
  QTabWidget* tabs_;
  QPlainTextEdit* yaml_;
  QTreeWidget* differences_;
  QLabel* same_;
  QPlainTextEdit* report_;
  QStringList line_keys_;  ///< The dotted key of each line of the YAML.
  QStringList changed_;
};

/// The dotted key of every line of a YAML text as base::toYaml writes it; sections have their own.
QStringList keysOfYamlLines(const QString& yaml);

}  // namespace meanflow::ui
