// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config/start_bar.h"

#include <QDir>
#include <QFileDialog>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QToolButton>
#include <QVBoxLayout>

#include "core/base/run/demo_run.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {

QString freeRunName(const QString& folder, const QString& name) {
  QString candidate = name;
  for (int i = 2; QFileInfo::exists(folder + QLatin1Char('/') + candidate); ++i)
    candidate = QStringLiteral("%1-%2").arg(name).arg(i);
  return candidate;
}

QString runNameObstacle(const QString& folder, const QString& name) {
  if (name.isEmpty()) return StartBar::tr("The run needs a name: type one at the left of Start.");
  if (name.contains(QLatin1Char('/')) || name == QLatin1String(".") || name == QLatin1String(".."))
    return StartBar::tr("A name is a single word without a slash; choose the folder with the button beside it.");
  const QString path = folder + QLatin1Char('/') + name;
  if (!QFileInfo::exists(path)) return {};
  return StartBar::tr("%1 exists already; call the run %2, for example.").arg(path, freeRunName(folder, name));
}

StartBar::StartBar(const Theme& theme, QWidget* parent)
    : QWidget(parent),
      name_(new QLineEdit),
      place_(new QToolButton),
      start_(new QPushButton(theme.icon(QStringLiteral("play"), &ThemeColors::accent_text), tr("Start run"))),
      queue_(new QPushButton(tr("Queue"))),
      preflight_(new QPushButton(tr("Pre-flight"))),
      line_(new QLabel),
      parent_folder_(QString::fromStdString(base::defaultRunsFolder())) {
  name_->setAccessibleName(tr("Name of the new run"));
  name_->setPlaceholderText(tr("name of the run"));
  name_->setToolTip(tr("The run's folder gets this name"));
  name_->setMinimumWidth(90);
  place_->setProperty("framed", true);
  place_->setFocusPolicy(Qt::StrongFocus);
  place_->setAccessibleName(tr("Folder the new run is made in"));
  start_->setProperty("primary", true);
  start_->setAccessibleName(tr("Start run"));
  start_->setToolTip(tr("Write these settings into a new run folder and train (Ctrl+Shift+Return)"));
  queue_->setAccessibleName(tr("Put into the queue"));
  queue_->setToolTip(tr("The run starts by itself when those before it have ended (Ctrl+Shift+Q)"));
  preflight_->setAccessibleName(tr("Pre-flight"));
  preflight_->setToolTip(
      tr("A few dry steps of every stage tell time, memory and disk, and what would stop the run (Ctrl+Shift+F5)"));
  line_->setWordWrap(true);
  line_->setTextInteractionFlags(Qt::LinksAccessibleByMouse | Qt::LinksAccessibleByKeyboard);
  line_->setAccessibleName(tr("What stands in the way of a start"));
  auto* row = new QHBoxLayout;
  row->setSpacing(6);
  row->addWidget(name_, 1);
  row->addWidget(place_);
  row->addWidget(preflight_);
  row->addWidget(queue_);
  row->addWidget(start_);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(4);
  layout->addWidget(line_);
  layout->addLayout(row);
  connect(name_, &QLineEdit::textEdited, this, [this] {
    is_suggested_ = name_->text().isEmpty();
    refresh();
    Q_EMIT changed();
  });
  connect(place_, &QToolButton::clicked, this, &StartBar::askFolder);
  connect(start_, &QPushButton::clicked, this, &StartBar::startRequested);
  connect(queue_, &QPushButton::clicked, this, &StartBar::queueRequested);
  connect(preflight_, &QPushButton::clicked, this, &StartBar::preflightRequested);
  connect(line_, &QLabel::linkActivated, this, &StartBar::problemPicked);
  refresh();
}

QString StartBar::name() const { return name_->text().trimmed(); }

QString StartBar::folder() const { return parent_folder_ + QLatin1Char('/') + name(); }

void StartBar::setName(const QString& name, bool is_suggestion) {
  if (is_suggestion && !is_suggested_ && !name_->text().isEmpty()) return;
  is_suggested_ = is_suggestion;
  name_->setText(name);
  refresh();
}

void StartBar::setParentFolder(const QString& folder) {
  if (folder.isEmpty()) return;
  parent_folder_ = folder;
  refresh();
}

void StartBar::setProblems(const QStringList& problems) {
  problems_ = problems;
  refresh();
}

void StartBar::setTrainingProblem(const QString& problem) {
  training_problem_ = problem;
  refresh();
}

QString StartBar::obstacle() const {
  if (!problems_.isEmpty()) {
    return problems_.size() == 1
               ? tr("Not valid yet: %1").arg(problems_.front())
               : tr("Not valid yet: %1 (and %2 more)").arg(problems_.front()).arg(problems_.size() - 1);
  }
  return runNameObstacle(parent_folder_, name());
}

void StartBar::refresh() {
  const QString obstacle = this->obstacle();
  place_->setText(tr("in %1").arg(QFileInfo(parent_folder_).fileName()));
  place_->setToolTip(tr("The run is made in %1; choose another folder").arg(parent_folder_));
  QString text;
  if (!problems_.isEmpty()) {
    const QString key = problems_.front().section(QLatin1Char(':'), 0, 0);
    text = QStringLiteral("%1 <a href=\"%2\">%3</a>").arg(obstacle.toHtmlEscaped(), key, tr("Show it"));
  } else if (!obstacle.isEmpty()) {
    text = obstacle.toHtmlEscaped();
  } else if (!training_problem_.isEmpty()) {
    text = training_problem_.toHtmlEscaped();
  }
  line_->setText(text);
  line_->setVisible(!text.isEmpty());
  line_->setFocusPolicy(problems_.isEmpty() ? Qt::NoFocus : Qt::StrongFocus);
  line_->setProperty("bad", true);
}

void StartBar::askFolder() {
  const QString folder = QFileDialog::getExistingDirectory(this, tr("Folder for new runs"), parent_folder_);
  if (folder.isEmpty()) return;
  setParentFolder(folder);
  Q_EMIT changed();
}

}  // namespace meanflow::ui
