// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/welcome_page.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QVBoxLayout>

#include "ui/panels/runs_panel.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {

WelcomePage::WelcomePage(const Theme& theme, RunCatalog& catalog, RecentRuns& recent_runs, QWidget* parent)
    : QWidget(parent),
      demo_(new QPushButton(theme.icon(QStringLiteral("demo"), &ThemeColors::accent_text), tr("Run the demo"))),
      problem_(new QLabel) {
  auto* picture = new QLabel;
  picture->setPixmap(Theme::applicationIcon().pixmap(QSize(72, 72), devicePixelRatioF()));
  auto* title = new QLabel(tr("MeanFlow Studio"));
  QFont font = title->font();
  font.setPointSizeF(font.pointSizeF() * 1.9);
  font.setWeight(QFont::DemiBold);
  title->setFont(font);
  auto* words =
      new QLabel(tr("From a folder of labelled images to a generator that makes an image in one network call. "
                    "Watch it learn, and act on what you see."));
  words->setProperty("muted", true);
  words->setWordWrap(true);

  demo_->setProperty("primary", true);
  demo_->setToolTip(tr("Train the whole pipeline on embedded emoji: minutes on two CPU cores (Ctrl+D)"));
  demo_->setAccessibleName(tr("Run the demo"));
  auto* open = new QPushButton(theme.icon(QStringLiteral("open")), tr("Open a run folder…"));
  open->setToolTip(tr("Look at a run, finished or being trained right now, here or on a cluster (Ctrl+O)"));
  open->setAccessibleName(tr("Open a run folder"));
  auto* create = new QPushButton(theme.icon(QStringLiteral("sliders")), tr("New run…"));
  create->setToolTip(tr("Choose a preset, change its settings, start it (Ctrl+N)"));
  create->setAccessibleName(tr("New run"));
  connect(create, &QPushButton::clicked, this, &WelcomePage::newRunRequested);
  for (auto* button : {demo_, create, open}) {
    button->setIconSize(QSize(20, 20));
    button->setMinimumHeight(38);
  }
  connect(demo_, &QPushButton::clicked, this, &WelcomePage::demoRequested);
  connect(open, &QPushButton::clicked, this, &WelcomePage::openFolderRequested);
  problem_->setWordWrap(true);
  problem_->setProperty("muted", true);

  auto* recent_title = new QLabel(tr("Recent runs"));
  recent_title->setProperty("heading", true);
  auto* recent = new QFrame;
  recent->setProperty("card", true);
  auto* recent_layout = new QVBoxLayout(recent);
  recent_layout->setContentsMargins(6, 6, 6, 6);
  auto* list = new RunsPanel(theme, catalog, recent_runs, true);
  recent_layout->addWidget(list);
  connect(list, &RunsPanel::openRequested, this, &WelcomePage::openRequested);

  auto* head = new QHBoxLayout;
  head->setSpacing(18);
  head->addWidget(picture, 0, Qt::AlignTop);
  auto* head_text = new QVBoxLayout;
  head_text->addWidget(title);
  head_text->addWidget(words);
  head->addLayout(head_text, 1);
  auto* actions = new QHBoxLayout;
  actions->setSpacing(10);
  actions->addWidget(demo_, 1);
  actions->addWidget(create, 1);
  actions->addWidget(open, 1);

  auto* page = new QWidget;
  page->setMaximumWidth(640);
  auto* column = new QVBoxLayout(page);
  column->setSpacing(14);
  column->addLayout(head);
  column->addLayout(actions);
  column->addWidget(problem_);
  column->addWidget(recent_title);
  column->addWidget(recent, 1);
  auto* layout = new QHBoxLayout(this);
  layout->setContentsMargins(24, 36, 24, 24);
  layout->addStretch(1);
  layout->addWidget(page, 8);
  layout->addStretch(1);
  setTrainingProblem({}, true);
}

void WelcomePage::setTrainingProblem(const QString& problem, bool is_loading) {
  demo_->setEnabled(problem.isEmpty() && !is_loading);
  problem_->setText(is_loading ? tr("Loading the training library…") : problem);
  problem_->setVisible(is_loading || !problem.isEmpty());
}

}  // namespace meanflow::ui
