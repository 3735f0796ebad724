// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config/config_panel.h"

#include <QComboBox>
#include <QDir>
#include <QFileDialog>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QLabel>
#include <QMenu>
#include <QResizeEvent>
#include <QSplitter>
#include <QStackedWidget>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <utility>

#include "core/base/config/live_settings.h"
#include "core/base/run/run_state.h"
#include "ui/config/config_form.h"
#include "ui/config/config_loading.h"
#include "ui/config/config_yaml_view.h"
#include "ui/config/new_run_checks.h"
#include "ui/config/stage_row.h"
#include "ui/config/start_bar.h"
#include "ui/models/run_controller.h"
#include "ui/panels/empty_state.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {

const QString kDefaults = QStringLiteral("defaults:");
const QString kThisRun = QStringLiteral("run:");
const QString kOther = QStringLiteral("other:");
constexpr int kWide = 820;

}  // namespace

ConfigPanel::ConfigPanel(const Theme& theme, RunController& controller, QWidget* parent)
    : QWidget(parent),
      theme_(theme),
      controller_(controller),
      keeper_(draft_),
      presets_known_(base::presetNames()),
      shown_table_(base::fieldTable(shown_run_)),
      mode_box_(new QComboBox),
      presets_(new QToolButton),
      import_(new QToolButton),
      duplicate_(new QToolButton),
      compare_(new QComboBox),
      yaml_button_(new QToolButton),
      where_(new QLabel),
      banner_(new Banner(theme, true)),
      form_(new ConfigForm(theme, [this](const base::FieldDoc& doc) { return stateOf(doc); })),
      yaml_(new ConfigYamlView(theme)),
      splitter_(new QSplitter),
      pages_(new QStackedWidget),
      stages_(new StageRow(theme)),
      start_(new StartBar(theme)),
      checks_(new NewRunChecks(theme, draft_, this)) {
  setAccessibleName(tr("Configuration"));
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(8, 6, 8, 8);
  layout->setSpacing(6);
  auto* head = new QHBoxLayout;
  head->setSpacing(6);
  auto* below = new QHBoxLayout;  // two rows are narrow enough for a place between others in a small window
  below->setSpacing(6);
  buildHead(head, below);
  layout->addLayout(head);
  layout->addLayout(below);
  where_->setProperty("muted", true);
  where_->setWordWrap(true);
  layout->addWidget(banner_);
  splitter_->addWidget(form_);
  splitter_->addWidget(yaml_);
  splitter_->setStretchFactor(0, 3);
  splitter_->setStretchFactor(1, 2);
  splitter_->setChildrenCollapsible(false);
  pages_->addWidget(splitter_);
  pages_->addWidget(checks_->page());
  layout->addWidget(pages_, 1);
  layout->addWidget(stages_);
  layout->addWidget(start_);

  connect(form_, &ConfigForm::edited, this, &ConfigPanel::onEdited);
  connect(form_, &ConfigForm::committed, this, &ConfigPanel::onCommitted);
  connect(form_, &ConfigForm::resetRequested, &draft_, &ConfigDraft::reset);
  connect(&draft_, &ConfigDraft::edited, this, [this](const QString& key) {
    start_->setProblems(draft_.problems());
    is_stale_ = is_stale_ || !isVisible();
    if (mode_ != Mode::kNewRun || is_stale_) return;
    form_->refreshField(key);
    stages_->present(draft_.config());
    refreshYaml();
    yaml_->showSetting(key);
  });
  connect(&draft_, &ConfigDraft::replaced, this, &ConfigPanel::refreshAll);
  connect(&draft_, &ConfigDraft::baselineChanged, this, &ConfigPanel::refreshAll);
  connect(&run_, &RunSettings::changed, this, [this] {
    if (run_.isKnown()) shown_run_ = run_.inForce();
    std::erase_if(sent_, [this](const auto& sent) {
      const auto* field = shown_table_.find(sent.first.toStdString());
      return field && settingText(*field) == sent.second;
    });
    refreshAll();
  });
  connect(&controller_, &RunController::actionsChanged, this, [this] {
    if (mode_ == Mode::kThisRun) refreshAll();
  });
  connect(yaml_, &ConfigYamlView::settingPicked, this, &ConfigPanel::showSetting);
  connect(start_, &StartBar::problemPicked, this, &ConfigPanel::showSetting);
  connect(start_, &StartBar::startRequested, this, &ConfigPanel::startNewRun);
  connect(start_, &StartBar::queueRequested, this, &ConfigPanel::queueNewRun);
  connect(start_, &StartBar::preflightRequested, this, &ConfigPanel::preflightNewRun);
  connect(checks_, &NewRunChecks::refused, this, &ConfigPanel::showRefusal);
  connect(checks_->page(), &PreflightPage::closeWanted, this, [this] { pages_->setCurrentWidget(splitter_); });
  connect(checks_->page(), &PreflightPage::againWanted, this, &ConfigPanel::preflightNewRun);
  connect(checks_->page(), &PreflightPage::settingPicked, this, &ConfigPanel::showSetting);
  connect(stages_, &StageRow::checkpointWanted, checks_, &NewRunChecks::askCheckpoint);
  connect(stages_, &StageRow::trainingWanted, checks_, &NewRunChecks::forgetCheckpoint);
  connect(stages_, &StageRow::settingsWanted, this, [this](const QString& section) {
    pages_->setCurrentWidget(splitter_);
    form_->setSection(section);
  });
  connect(start_, &StartBar::changed, this, [this] { keeper_.setPlace(start_->name(), start_->parentFolder()); });
  connect(&keeper_, &DraftKeeper::failed, this, [this](const QString& why) { banner_->showMessage(why, false); });
  connect(&keeper_, &DraftKeeper::loaded, this, [this](bool was_there) {
    if (was_there) {
      start_->setParentFolder(keeper_.folder());
      start_->setName(keeper_.name(), keeper_.name().isEmpty());
    } else {
      is_first_ = true;
      loadPreset(QStringLiteral("demo"));
    }
  });
  refreshAll();
  keeper_.load();
}

ConfigPanel::~ConfigPanel() {
  form_->disconnect(this);  // an editor that loses the focus while the panel goes has nobody to tell any more
}

void ConfigPanel::buildHead(QHBoxLayout* row, QHBoxLayout* below) {
  const auto setUp = [](QToolButton* button, const QString& text, const QString& tip) {
    button->setText(text);
    button->setToolTip(tip);
    button->setAccessibleName(text);
    button->setProperty("framed", true);
    button->setFocusPolicy(Qt::StrongFocus);
  };
  mode_box_->setAccessibleName(tr("Whose settings are shown"));
  mode_box_->setToolTip(tr("The settings of a new run, or those of the run on show"));
  mode_box_->addItem(tr("New run"));
  mode_box_->setSizeAdjustPolicy(QComboBox::AdjustToContents);
  connect(mode_box_, &QComboBox::activated, this, [this](int index) { setMode(static_cast<Mode>(index)); });

  setUp(presets_, tr("Presets"), tr("Start from a preset; the change can be undone"));
  presets_->setPopupMode(QToolButton::InstantPopup);
  auto* menu = new QMenu(presets_);
  for (const auto& name : presets_known_) {
    const QString text = QString::fromStdString(name);
    connect(menu->addAction(text), &QAction::triggered, this, [this, text] { loadPreset(text); });
  }
  presets_->setMenu(menu);
  setUp(import_, tr("Import…"), tr("Read a YAML file, also one of sony/mf-rae or bytetriper/RAE (Ctrl+I)"));
  connect(import_, &QToolButton::clicked, this, &ConfigPanel::askImport);
  setUp(duplicate_, tr("Use for a new run"), tr("These settings become those of a new run, to be changed and started"));
  connect(duplicate_, &QToolButton::clicked, this, [this] {
    if (!run_.isKnown()) return;
    draft_.replace(run_.inForce(), tr("settings of %1").arg(run_.runName()));
    draft_.setBaseline(run_.inForce(), run_.runName());
    start_->setName(freeRunName(start_->parentFolder(), run_.runName()), true);
    setMode(Mode::kNewRun);
  });

  auto* compare_label = new QLabel(tr("Against"));
  compare_label->setBuddy(compare_);
  compare_->setAccessibleName(tr("What the settings are compared with"));
  compare_->setToolTip(tr("Settings that differ from this are marked, and a reset goes back to it"));
  compare_->setMinimumContentsLength(9);
  compare_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
  connect(compare_, &QComboBox::activated, this,
          [this](int index) { compareWith(compare_->itemData(index).toString()); });

  setUp(yaml_button_, tr("YAML"), tr("Show the resulting file and the differences beside the form"));
  yaml_button_->setCheckable(true);
  yaml_button_->setChecked(true);
  connect(yaml_button_, &QToolButton::toggled, yaml_, &QWidget::setVisible);

  row->addWidget(mode_box_);
  row->addWidget(presets_);
  row->addWidget(import_);
  row->addWidget(duplicate_);
  row->addStretch(1);
  row->addWidget(yaml_button_);
  below->addWidget(where_, 1);
  below->addWidget(compare_label);
  below->addWidget(compare_);
}

void ConfigPanel::resizeEvent(QResizeEvent* event) {
  QWidget::resizeEvent(event);
  // Form and file side by side need room; where there is little, the file waits behind its button.
  const bool is_wide = event->size().width() >= kWide;
  if (is_wide != is_wide_) yaml_button_->setChecked(is_wide);
  is_wide_ = is_wide;
}

void ConfigPanel::setSource(RunSource* source) {
  typed_.clear();
  sent_.clear();
  run_.setSource(source);
  setMode(source ? Mode::kThisRun : Mode::kNewRun);
}

void ConfigPanel::setMode(Mode mode) {
  mode_ = mode == Mode::kThisRun && !run_.hasRun() ? Mode::kNewRun : mode;
  banner_->hide();
  refreshAll();
}

void ConfigPanel::setTrainingProblem(const QString& problem) { start_->setTrainingProblem(problem); }

void ConfigPanel::setHost(base::TrainingHost* host) { checks_->setHost(host); }

void ConfigPanel::showStep(const QString& stage, qint64 step, bool is_live) { run_.setCursor(stage, step, is_live); }

void ConfigPanel::refreshHead() {
  const QSignalBlocker block_mode(mode_box_);
  if (run_.hasRun() && mode_box_->count() < 2) mode_box_->addItem(QString());
  if (!run_.hasRun() && mode_box_->count() > 1) mode_box_->removeItem(1);
  if (run_.hasRun()) mode_box_->setItemText(1, tr("Run %1").arg(run_.runName()));
  mode_box_->setCurrentIndex(static_cast<int>(mode_));
  const bool is_new = mode_ == Mode::kNewRun;
  presets_->setVisible(is_new);
  import_->setVisible(is_new);
  duplicate_->setVisible(!is_new);
  duplicate_->setEnabled(run_.isKnown());
  start_->setVisible(is_new);
  stages_->setVisible(is_new);
  if (!is_new) pages_->setCurrentWidget(splitter_);
  if (is_new) {
    where_->setText(differenceText());
  } else if (!run_.problem().isEmpty()) {
    where_->setText(run_.problem());
  } else {
    where_->setText(run_.isKnown()
                        ? tr("Values in force %1. What is fixed can be changed in a new run with these settings.")
                              .arg(run_.cursorText())
                        : tr("Reading config.yaml…"));
  }

  const QSignalBlocker block_compare(compare_);
  compare_->clear();
  compare_->addItem(tr("defaults"), kDefaults);
  if (run_.isKnown()) compare_->addItem(tr("run %1").arg(run_.runName()), kThisRun);
  for (const auto& name : presets_known_)
    compare_->addItem(tr("preset %1").arg(QString::fromStdString(name)), QString::fromStdString(name));
  compare_->addItem(tr("another run or file…"), kOther);
  int current = compare_->findText(draft_.baselineName());
  if (current < 0) {
    compare_->insertItem(0, draft_.baselineName(), QString());
    current = 0;
  }
  compare_->setCurrentIndex(current);
}

QString ConfigPanel::differenceText() const {
  const int count = draft_.numChanged();
  return count == 0 ? tr("Every setting is as in %1.").arg(draft_.baselineName())
                    : tr("Settings that differ from %1: %2").arg(draft_.baselineName()).arg(count);
}

void ConfigPanel::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  if (is_stale_) refreshAll();
}

void ConfigPanel::refreshAll() {
  start_->setProblems(draft_.problems());
  is_stale_ = !isVisible();  // behind a tab: when it is looked at
  if (is_stale_) return;
  refreshHead();
  form_->setEnabled(mode_ == Mode::kNewRun || run_.isKnown());
  form_->refresh();
  stages_->present(draft_.config());
  refreshYaml();
}

void ConfigPanel::refreshYaml() {
  yaml_->present(mode_ == Mode::kNewRun ? draft_.config() : shown_run_, draft_.baseline(), draft_.baselineName());
  if (mode_ == Mode::kNewRun) where_->setText(differenceText());
}

QString ConfigPanel::whyLocked(const QString& key) const {
  if (!base::isLiveSetting(key.toStdString())) return tr("Fixed since the run started.");
  switch (controller_.access()) {
    case RunAccess::kNone:
      return tr("Nobody is training this run now, so there is nobody to tell.");
    default:
      break;
  }
  return controller_.actions().can_stop ? QString() : tr("The run is stopping; it takes no more changes.");
}

FieldState ConfigPanel::runStateOf(const QString& key, FieldState state) const {
  const auto* field = shown_table_.find(key.toStdString());
  const QString value = field ? settingText(*field) : QString();
  state.can_reset = false;
  const QString locked = whyLocked(key);
  state.can_edit = locked.isEmpty();
  state.text = value;
  if (const auto typed = typed_.find(key); typed != typed_.end() && field) {
    state.text = typed->second;
    base::RunConfig copy = shown_run_;
    const auto table = base::fieldTable(copy);
    const auto checked = assignSetting(*table.find(field->key), state.text);
    if (!checked.ok())
      state.problem = QString::fromStdString(checked.error().message);
    else if (state.text != value)
      state.remark = tr("Enter sends it to the run.");
  } else if (const auto sent = sent_.find(key); sent != sent_.end()) {
    state.text = sent->second;
    state.remark = tr("Sent; the run takes it between two steps.");
  } else if (!locked.isEmpty()) {
    state.remark = locked;
  } else {
    state.remark = tr("May change while the run goes on.");
  }
  if (const auto change = run_.lastChange(key.toStdString())) {
    state.remark += QLatin1Char('\n') + tr("Changed from %1 to %2 at step %3 of %4.")
                                            .arg(QString::fromStdString(change->old_value),
                                                 QString::fromStdString(change->new_value), formatCount(change->step),
                                                 stageTitle(change->stage));
  }
  state.is_changed = value != state.baseline;
  return state;
}

FieldState ConfigPanel::stateOf(const base::FieldDoc& doc) const {
  const QString key = QString::fromStdString(doc.key);
  FieldState state;
  state.baseline = draft_.baselineText(key);
  state.baseline_name = draft_.baselineName();
  if (mode_ == Mode::kThisRun) return runStateOf(key, state);
  state.text = draft_.text(key);
  state.problem = draft_.problem(key);
  state.is_changed = draft_.isChanged(key);
  return state;
}

void ConfigPanel::onEdited(const QString& key, const QString& text) {
  if (mode_ == Mode::kNewRun) {
    draft_.edit(key, text);
    return;
  }
  typed_[key] = text;
  form_->refreshField(key);
}

void ConfigPanel::onCommitted(const QString& key) {
  if (mode_ == Mode::kNewRun) {
    draft_.endEdit();
    form_->refreshField(key);  // written as YAML writes it
    return;
  }
  const auto typed = typed_.find(key);
  if (typed == typed_.end()) return;
  const auto* field = shown_table_.find(key.toStdString());
  base::RunConfig copy = shown_run_;
  const auto table = base::fieldTable(copy);
  if (!field || !assignSetting(*table.find(field->key), typed->second).ok()) return;  // the form says what is wrong
  const QString text = settingText(*table.find(field->key));                          // as the run will report it
  typed_.erase(typed);
  if (text != settingText(*field)) {
    sent_[key] = text;
    controller_.changeSetting(key, text);
  }
  form_->refreshField(key);
}

void ConfigPanel::showSetting(const QString& key) {
  pages_->setCurrentWidget(splitter_);
  form_->showSetting(key);
  yaml_->showSetting(key);
}

void ConfigPanel::focusSearch() { form_->focusSearch(); }

void ConfigPanel::load(const QString& path_or_preset, const QString& what, const QString& name) {
  background_.run(
      this, [path = path_or_preset.toStdString()] { return loadAnyConfig(path); },
      [this, what, name](LoadedConfig loaded) {
        if (!loaded.config.ok()) {
          banner_->showMessage(QString::fromStdString(loaded.config.error().message), true);
          return;
        }
        if (!is_first_)
          setMode(Mode::kNewRun);  // the first is loaded by nobody's wish, maybe behind a run that is shown
        draft_.replace(*loaded.config, what);
        draft_.setBaseline(*loaded.config, what);
        if (std::exchange(is_first_, false)) draft_.undoStack().clear();  // nobody chose what was there before
        yaml_->showImportReport(loaded.report);
        start_->setName(freeRunName(start_->parentFolder(), name), true);
        keeper_.setPlace(start_->name(), start_->parentFolder());
      });
}

void ConfigPanel::loadPreset(const QString& name) { load(name, tr("preset %1").arg(name), name); }

void ConfigPanel::importFile(const QString& path) {
  const QFileInfo info(path);
  load(configFileOf(path), info.fileName(), info.completeBaseName());
}

void ConfigPanel::duplicate(const QString& folder, const QString& name) {
  load(configFileOf(folder), QFileInfo(folder).fileName(), name);
}

void ConfigPanel::askImport() {
  const QString path = QFileDialog::getOpenFileName(this, tr("Import a configuration"), QString(),
                                                    tr("Configurations (*.yaml *.yml);;All files (*)"));
  if (!path.isEmpty()) importFile(path);
}

void ConfigPanel::askSaveAs() {
  const QString path =
      QFileDialog::getSaveFileName(this, tr("Save the configuration"),
                                   (start_->name().isEmpty() ? tr("config") : start_->name()) + QStringLiteral(".yaml"),
                                   tr("Configurations (*.yaml)"));
  if (path.isEmpty()) return;
  background_.write(this, path, draft_.yaml().toUtf8(),
                    [this](const QString& problem) { banner_->showMessage(problem, true); });
}

void ConfigPanel::compareWith(const QString& choice) {
  if (choice == kDefaults) {
    draft_.setBaseline(base::RunConfig{}, tr("defaults"));
    return;
  }
  if (choice == kThisRun) {
    if (run_.isKnown()) draft_.setBaseline(run_.newest(), tr("run %1").arg(run_.runName()));
    return;
  }
  QString path = choice;
  QString name = tr("preset %1").arg(choice);
  if (choice == kOther) {
    path = QFileDialog::getOpenFileName(this, tr("Compare with a run's config.yaml or another file"), QString(),
                                        tr("Configurations (*.yaml *.yml);;All files (*)"));
    const QFileInfo info(path);
    name = info.fileName() == QLatin1String("config.yaml") ? info.dir().dirName() : info.fileName();
  }
  if (path.isEmpty()) return refreshHead();
  background_.run(
      this, [path = path.toStdString()] { return loadAnyConfig(path); },
      [this, name](LoadedConfig loaded) {
        if (loaded.config.ok()) return draft_.setBaseline(*loaded.config, name);
        banner_->showMessage(QString::fromStdString(loaded.config.error().message), true);
        refreshHead();
      });
}

bool ConfigPanel::newRun(NewRun* run) {
  setMode(Mode::kNewRun);
  if (const QString obstacle = start_->obstacle(); !obstacle.isEmpty()) {
    showRefusal(obstacle);
    return false;
  }
  *run = {start_->name(), start_->folder(), draft_.yaml()};
  return true;
}

void ConfigPanel::startNewRun() {
  if (NewRun run; newRun(&run)) Q_EMIT startRequested(run);
}

void ConfigPanel::queueNewRun() {
  NewRun run;
  if (!newRun(&run)) return;
  Q_EMIT queueRequested(run);
  start_->setName(freeRunName(start_->parentFolder(), run.name + QStringLiteral("-next")), true);
}

void ConfigPanel::preflightNewRun() {
  setMode(Mode::kNewRun);
  if (!draft_.problems().isEmpty()) return showRefusal(start_->obstacle());
  pages_->setCurrentWidget(checks_->page());
  checks_->startPreflight(start_->folder());
}

void ConfigPanel::showRefusal(const QString& sentence) { banner_->showMessage(sentence, true); }

}  // namespace meanflow::ui
