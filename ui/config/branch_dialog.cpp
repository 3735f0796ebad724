// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config/branch_dialog.h"

#include <QAction>
#include <QFileDialog>
#include <QFileInfo>
#include <QGridLayout>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QStyle>
#include <QTimer>
#include <QToolButton>
#include <QTreeWidget>
#include <QVBoxLayout>
#include <algorithm>
#include <utility>

#include "ui/config/field_editor.h"
#include "ui/config/setting_search.h"
#include "ui/config/start_bar.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {

BranchDialog::BranchDialog(const Theme& theme, base::BranchPoint at, std::int64_t skip_step, QWidget* parent)
    : QDialog(parent),
      theme_(theme),
      at_(std::move(at)),
      skip_step_(skip_step),
      parent_folder_(QFileInfo(QString::fromStdString(at_.parent)).absolutePath()),
      way_(new QLabel(tr("Reading config.yaml…"))),
      name_(new QLineEdit),
      place_(new QToolButton),
      path_(new QLabel),
      scroll_(new QScrollArea),
      column_(nullptr),
      search_(new SettingSearch(theme, tr("Add another setting…"))),
      changes_title_(new QLabel),
      changes_(new QTreeWidget),
      line_(new QLabel),
      cancel_(new QPushButton(tr("Cancel"))),
      queue_(new QPushButton(tr("Add to the queue"))),
      start_(new QPushButton(theme.icon(QStringLiteral("play"), &ThemeColors::accent_text), tr("Start the branch"))) {
  setObjectName(QStringLiteral("branch"));
  setAttribute(Qt::WA_DeleteOnClose);
  const QString run = QFileInfo(QString::fromStdString(at_.parent)).fileName();
  setWindowTitle(tr("Branch from %1").arg(run));
  layOut();
  connectDraft();
  name_->setText(proposedBranchName(at_, parent_folder_));
  refresh();
  background_.run(
      this, [at = at_] { return readBranchStart(at); },
      [this](const base::Result<BranchStart>& start) { present(start); });
}

void BranchDialog::layOut() {
  auto* from = new QLabel(
      tr("%1 · %2 · after step %3")
          .arg(QFileInfo(QString::fromStdString(at_.parent)).fileName(), stageTitle(at_.stage), formatCount(at_.step)));
  from->setProperty("heading", true);
  from->setAccessibleName(tr("What is branched from"));
  from->setTextInteractionFlags(Qt::TextSelectableByMouse);
  from->setToolTip(QString::fromStdString(at_.parent));
  way_->setWordWrap(true);
  way_->setProperty("muted", true);
  name_->setAccessibleName(tr("Name of the new run"));
  name_->setToolTip(tr("The run's folder gets this name"));
  place_->setProperty("framed", true);
  place_->setFocusPolicy(Qt::StrongFocus);
  place_->setAccessibleName(tr("Folder the new run is made in"));
  path_->setProperty("muted", true);
  path_->setWordWrap(true);
  path_->setTextInteractionFlags(Qt::TextSelectableByMouse);
  auto* name = new QLabel(tr("Name"));
  name->setBuddy(name_);
  auto* naming = new QGridLayout;
  naming->setVerticalSpacing(2);
  naming->addWidget(name, 0, 0);
  naming->addWidget(name_, 0, 1);
  naming->addWidget(place_, 0, 2);
  naming->addWidget(path_, 1, 1, 1, 2);
  naming->setColumnStretch(1, 1);

  auto* title = new QLabel(tr("Settings to change"));
  title->setProperty("heading", true);
  auto* page = new QWidget;
  column_ = new QVBoxLayout(page);
  column_->setContentsMargins(8, 4, 10, 8);
  column_->setSpacing(4);
  column_->addStretch(1);
  scroll_->setWidget(page);
  scroll_->setWidgetResizable(true);
  scroll_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  scroll_->setFocusPolicy(Qt::NoFocus);
  scroll_->setMinimumHeight(150);
  changes_title_->setWordWrap(true);
  changes_->setAccessibleName(tr("What the branch does differently"));
  changes_->setHeaderLabels({tr("Setting"), tr("The run"), tr("The branch")});
  changes_->setRootIsDecorated(false);
  changes_->setUniformRowHeights(true);
  changes_->setSelectionMode(QAbstractItemView::NoSelection);
  changes_->setFixedHeight(4 * (fontMetrics().lineSpacing() + 8));
  line_->setWordWrap(true);
  line_->setProperty("bad", true);
  line_->setAccessibleName(tr("What stands in the way of a start"));
  start_->setProperty("primary", true);
  start_->setShortcut(QKeySequence(tr("Ctrl+Return")));
  for (auto* button : {cancel_, queue_, start_}) {
    button->setAccessibleName(button->text());
    button->setAutoDefault(false);  // Enter in a setting takes the setting, it does not start a run
  }
  auto* buttons = new QHBoxLayout;
  buttons->addStretch(1);
  buttons->addWidget(cancel_);
  buttons->addWidget(queue_);
  buttons->addWidget(start_);
  auto* layout = new QVBoxLayout(this);
  layout->setSpacing(7);
  layout->addWidget(from);
  layout->addWidget(way_);
  layout->addLayout(naming);
  layout->addWidget(title);
  layout->addWidget(scroll_, 1);
  layout->addWidget(search_);
  layout->addWidget(changes_title_);
  layout->addWidget(changes_);
  layout->addWidget(line_);
  layout->addLayout(buttons);
  resize(620, 660);

  connect(cancel_, &QPushButton::clicked, this, &QDialog::reject);
  connect(start_, &QPushButton::clicked, this, &BranchDialog::startRequested);
  connect(queue_, &QPushButton::clicked, this, &BranchDialog::queueRequested);
  connect(place_, &QToolButton::clicked, this, &BranchDialog::askFolder);
  connect(search_, &SettingSearch::picked, this, &BranchDialog::addSetting);
  // Texts wrap when they are shown, and move what was brought into sight.
  connect(scroll_->verticalScrollBar(), &QScrollBar::rangeChanged, this, [this] {
    for (auto* editor : editors_)
      if (editor->isAncestorOf(focusWidget())) scroll_->ensureWidgetVisible(editor);
  });
  connect(name_, &QLineEdit::textEdited, this, [this] {
    refusal_.clear();
    refresh();
  });
}

void BranchDialog::connectDraft() {
  connect(&draft_, &ConfigDraft::edited, this, [this](const QString& key) {
    refusal_.clear();
    refreshField(key);
    refreshChanges();
    refresh();
  });
  // Ctrl+Z goes past the line that is typed into, as in the form.
  auto* undo = draft_.undoStack().createUndoAction(this);
  undo->setShortcut(QKeySequence::Undo);
  auto* redo = draft_.undoStack().createRedoAction(this);
  redo->setShortcut(QKeySequence::Redo);
  addActions({undo, redo});
}

void BranchDialog::present(const base::Result<BranchStart>& start) {
  if (!start.ok()) {
    problem_ = QString::fromStdString(start.error().message);
    way_->setText(tr("The run cannot be branched from."));
    refresh();
    return;
  }
  is_known_ = true;
  way_->setText(branchWay(at_, start->checkpoint) + QLatin1Char('\n') +
                tr("What is changed below holds from step %1 on.").arg(formatCount(at_.step + 1)));
  draft_.setBaseline(start->config, QFileInfo(QString::fromStdString(at_.parent)).fileName());
  draft_.replace(start->config, {});
  draft_.undoStack().clear();
  for (const auto& key : branchSettings(at_.stage)) addSetting(key);
  if (skip_step_ > 0) {
    base::RunConfig changed = start->config;
    const QString key = skipStepsKey(at_.stage);
    const auto table = base::fieldTable(changed);
    if (const auto* field = table.find(key.toStdString())) {
      auto& skipped = *std::get<std::vector<std::int64_t>*>(field->value);
      if (std::find(skipped.begin(), skipped.end(), skip_step_) == skipped.end()) skipped.push_back(skip_step_);
      draft_.edit(key, settingText(*field));
      draft_.endEdit();
    }
  }
  applyProposed();
  refreshChanges();
  refresh();
  if (!editors_.empty()) reveal(editors_.front());
}

void BranchDialog::propose(const QString& folder, const QStringList& overrides) {
  const QFileInfo info(folder);
  parent_folder_ = info.absolutePath();
  name_->setText(info.fileName());
  proposed_ = overrides;
  refresh();
}

void BranchDialog::applyProposed() {
  for (const auto& assignment : std::exchange(proposed_, {})) {
    const QString key = assignment.section(QLatin1Char('='), 0, 0).trimmed();
    QString text = assignment.section(QLatin1Char('='), 1).trimmed();
    base::RunConfig changed = draft_.config();
    const auto table = base::fieldTable(changed);
    const auto* field = table.find(key.toStdString());
    if (field && base::applyOverride(changed, assignment.toStdString()).ok()) text = settingText(*field);
    addSetting(key);  // what is no longer valid keeps its text, and its editor says why
    draft_.edit(key, text);
    draft_.endEdit();
  }
}

void BranchDialog::addSetting(const QString& key) {
  if (!is_known_) return;
  auto* editor = editorOf(key);
  if (!editor) {
    const auto& docs = draft_.fields();
    const auto doc = std::find_if(docs.begin(), docs.end(),
                                  [&](const auto& each) { return QString::fromStdString(each.key) == key; });
    if (doc == docs.end()) return;
    editor = new FieldEditor(theme_, *doc, true);
    connect(editor, &FieldEditor::edited, this, [this, key](const QString& text) { draft_.edit(key, text); });
    connect(editor, &FieldEditor::committed, this, [this] { draft_.endEdit(); });
    connect(editor, &FieldEditor::resetRequested, this, [this, key] {
      draft_.endEdit();
      draft_.reset(key);
      draft_.endEdit();
    });
    column_->insertWidget(column_->count() - 1, editor);
    QWidget* before = editors_.empty() ? static_cast<QWidget*>(place_) : editors_.back();
    setTabOrder(before, editor);
    editors_.push_back(editor);
    refreshField(key);
  }
  reveal(editor);
}

void BranchDialog::reveal(FieldEditor* editor) {
  // It can take the focus, and has a place, once it has been laid out.
  QTimer::singleShot(0, editor, [this, editor] {
    editor->editor()->setFocus(Qt::OtherFocusReason);
    scroll_->ensureWidgetVisible(editor);
  });
}

FieldEditor* BranchDialog::editorOf(const QString& key) const {
  const auto at = std::find_if(editors_.begin(), editors_.end(), [&](const auto* each) { return each->key() == key; });
  return at == editors_.end() ? nullptr : *at;
}

void BranchDialog::refreshField(const QString& key) {
  auto* editor = editorOf(key);
  if (!editor) return;
  FieldState state;
  state.text = draft_.text(key);
  state.problem = draft_.problem(key);
  state.baseline = draft_.baselineText(key);
  state.baseline_name = draft_.baselineName();
  state.is_changed = draft_.isChanged(key);
  if (skip_step_ > 0 && key == skipStepsKey(at_.stage))
    state.remark = tr("The alarm was raised in step %1.").arg(formatCount(skip_step_));
  editor->present(state);
}

void BranchDialog::refreshChanges() {
  changes_->clear();
  const auto changes = base::difference(draft_.baseline(), draft_.config());
  for (const auto& change : changes) {
    auto* item = new QTreeWidgetItem(changes_, {QString::fromStdString(change.key), QString::fromStdString(change.a),
                                                QString::fromStdString(change.b)});
    for (int column = 0; column < 3; ++column) item->setToolTip(column, item->text(column));
  }
  for (int column = 0; column < 2; ++column) changes_->resizeColumnToContents(column);
  changes_->setVisible(!changes.empty());
  changes_title_->setProperty("heading", !changes.empty());
  changes_title_->style()->unpolish(changes_title_);
  changes_title_->style()->polish(changes_title_);
  changes_title_->setVisible(!changes.empty() || draft_.problems().isEmpty());
  changes_title_->setText(changes.empty() ? tr("No setting differs yet: the branch would do again what the run did.")
                                          : tr("What the branch does differently"));
}

QString BranchDialog::folder() const { return parent_folder_ + QLatin1Char('/') + name_->text().trimmed(); }

base::RunRequest BranchDialog::request() const {
  base::RunRequest request;
  request.run_folder = folder().toStdString();
  request.branch = at_;
  request.overrides = branchOverrides(draft_.baseline(), draft_.config());
  return request;
}

void BranchDialog::setStartObstacle(const QString& why) {
  if (why == start_obstacle_) return;
  start_obstacle_ = why;
  refresh();
}

void BranchDialog::showRefusal(const QString& sentence) {
  refusal_ = sentence;
  refresh();
}

QString BranchDialog::settingsObstacle() const {
  if (!problem_.isEmpty()) return problem_;
  if (!is_known_) return tr("The run's settings are being read.");
  if (const auto problems = draft_.problems(); !problems.isEmpty())
    return tr("Not valid yet: %1").arg(problems.front());
  const QString name = name_->text().trimmed();
  return name.isEmpty() ? tr("The run needs a name.") : runNameObstacle(parent_folder_, name);
}

QString BranchDialog::obstacle() const {
  const QString why = settingsObstacle();
  return why.isEmpty() ? start_obstacle_ : why;
}

void BranchDialog::refresh() {
  const QString settings = settingsObstacle(), why = obstacle();
  place_->setText(tr("in %1").arg(QFileInfo(parent_folder_).fileName()));
  place_->setToolTip(tr("The run is made in %1; choose another folder").arg(parent_folder_));
  path_->setText(folder());
  search_->setEnabled(is_known_);
  start_->setEnabled(why.isEmpty());
  start_->setToolTip(why.isEmpty() ? tr("Makes the run folder and trains (Ctrl+Return)") : why);
  queue_->setEnabled(settings.isEmpty());
  queue_->setToolTip(settings.isEmpty() ? tr("The branch starts by itself when the runs before it have ended")
                                        : settings);
  const QString line = !refusal_.isEmpty() ? refusal_ : !is_known_ && problem_.isEmpty() ? QString() : why;
  line_->setText(line);
  line_->setVisible(!line.isEmpty());
}

void BranchDialog::askFolder() {
  const QString folder = QFileDialog::getExistingDirectory(this, tr("Folder for the branch"), parent_folder_);
  if (folder.isEmpty()) return;
  parent_folder_ = folder;
  refusal_.clear();
  refresh();
}

}  // namespace meanflow::ui
