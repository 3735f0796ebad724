// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QPointer>
#include <QWidget>
#include <map>

#include "core/base/run/training_host.h"
#include "ui/config/config_draft.h"
#include "ui/config/draft_keeper.h"
#include "ui/config/field_editor.h"
#include "ui/config/run_settings.h"
#include "ui/models/studio_state.h"

class QComboBox;
class QHBoxLayout;
class QLabel;
class QMenu;
class QSplitter;
class QStackedWidget;
class QToolButton;

namespace meanflow::ui {

class Banner;
class ConfigForm;
class ConfigYamlView;
class NewRunChecks;
class RunController;
class RunSource;
class StageRow;
class StartBar;
class Theme;

/// A run as it is to be started: where, and with which configuration.
struct NewRun {
  QString name;
  QString folder;
  QString yaml;
};

/// Settings: of a new run, to be edited, compared, started or queued, or of the run on show, as they were in force at
/// the step cursor, where those that may change while training are sent to the run.
class ConfigPanel final : public QWidget {
  Q_OBJECT
 public:
  enum class Mode { kNewRun, kThisRun };

  ConfigPanel(const Theme& theme, RunController& controller, QWidget* parent = nullptr);
  ~ConfigPanel() override;

  void setSource(RunSource* source);
  void setMode(Mode mode);
  Mode mode() const { return mode_; }
  ConfigDraft& draft() { return draft_; }
  RunSettings& runSettings() { return run_; }
  /// Why nothing can be trained in this window; empty: it can.
  void setTrainingProblem(const QString& problem);
  void setHost(base::TrainingHost* host);  ///< Null: none. Must be told before the host goes.
  NewRunChecks& checks() { return *checks_; }

 public Q_SLOTS:
  void showStep(const QString& stage, qint64 step, bool is_live);
  void showSetting(const QString& key);
  void focusSearch();
  void loadPreset(const QString& name);
  void importFile(const QString& path);
  void askImport();
  void askSaveAs();
  /// The settings of a run folder or YAML file become the new run's ("duplicate and tweak").
  void duplicate(const QString& folder, const QString& name);
  void startNewRun();
  void queueNewRun();
  void preflightNewRun();
  void showRefusal(const QString& sentence);  ///< Why a start did not happen.

 Q_SIGNALS:
  void startRequested(const meanflow::ui::NewRun& run);
  void queueRequested(const meanflow::ui::NewRun& run);

 protected:
  void resizeEvent(QResizeEvent* event) override;
  void showEvent(QShowEvent* event) override;

 private:
  void buildHead(QHBoxLayout* row, QHBoxLayout* below);
  void refreshHead();
  void refreshAll();
  void refreshYaml();
  QString differenceText() const;
  void onEdited(const QString& key, const QString& text);
  void onCommitted(const QString& key);
  FieldState stateOf(const base::FieldDoc& doc) const;
  FieldState runStateOf(const QString& key, FieldState state) const;
  QString whyLocked(const QString& key) const;
  bool newRun(NewRun* run);
  void compareWith(const QString& choice);
  void load(const QString& path_or_preset, const QString& what, const QString& name);

  const Theme& theme_;
  RunController& controller_;
  ConfigDraft draft_;
  RunSettings run_;
  DraftKeeper keeper_;
  std::vector<std::string> presets_known_;
  Mode mode_ = Mode::kNewRun;
  bool is_wide_ = true;
  bool is_stale_ = true;       ///< Something changed while nobody could see it.
  bool is_first_ = false;      ///< The preset of the very first start is under way.
  base::RunConfig shown_run_;  ///< Of the run on show, at the cursor.
  base::FieldTable shown_table_;
  std::map<QString, QString> typed_;  ///< Of the run on show: not sent yet.
  std::map<QString, QString> sent_;   ///< Sent, not yet reported back.
  QComboBox* mode_box_;
  QToolButton* presets_;
  QToolButton* import_;
  QToolButton* duplicate_;
  QComboBox* compare_;
  QToolButton* yaml_button_;
  QLabel* where_;
  Banner* banner_;
  ConfigForm* form_;
  ConfigYamlView* yaml_;
  QSplitter* splitter_;
  QStackedWidget* pages_;
  StageRow* stages_;
  StartBar* start_;
  NewRunChecks* checks_;
  Background background_;
};

}  // namespace meanflow::ui
