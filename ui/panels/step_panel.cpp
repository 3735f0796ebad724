// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/step_panel.h"

#include <QStackedLayout>
#include <QTimer>
#include <QVBoxLayout>

#include "ui/panels/empty_state.h"

namespace meanflow::ui {

StepPanel::StepPanel(StoreKind kind, const Theme& theme, const QString& icon, QWidget* parent)
    : QWidget(parent), kind_(kind), pages_(new QStackedLayout), empty_(new EmptyState(theme, icon)) {
  pages_->addWidget(empty_);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(1, 1, 1, 1);  // a rim that is painted when the panel comes to the front
  layout->addLayout(pages_);
}

QVBoxLayout* StepPanel::makeContent() {
  auto* content = new QWidget;
  auto* column = new QVBoxLayout(content);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(2);
  pages_->addWidget(content);
  return column;
}

void StepPanel::showContent() { pages_->setCurrentIndex(1); }

void StepPanel::showNothing(const QString& why, const QString& advice) {
  empty_->setText(why, advice);
  pages_->setCurrentIndex(0);
}

bool StepPanel::showsContent() const { return pages_->currentIndex() == 1; }

void StepPanel::setSource(RunSource* source) {
  if (source_) source_->disconnect(this);
  source_ = source;
  stage_.clear();
  step_ = 0;
  forget();
  if (source_) {
    connect(source_, &RunSource::changed, this, &StepPanel::onChanged);
    connect(source_, &RunSource::loadingFinished, this, &StepPanel::refreshSoon);
    // What is drawn is read from the source's stores: let go of them before they die.
    connect(source_, &QObject::destroyed, this, [this] { setSource(nullptr); });
  }
  refreshNow();
}

void StepPanel::onChanged(StoreKind kind) {
  if (kind == kind_) refreshSoon();
}

void StepPanel::showStep(const QString& stage, qint64 step, bool /*is_live*/) {
  stage_ = stage.toStdString();
  step_ = step;
  refreshSoon();
}

std::vector<std::string> StepPanel::stageNames() const {
  std::vector<std::string> names;
  if (source_)
    for (const auto& each : source_->summary().stages) names.push_back(each.name);
  return names;
}

void StepPanel::paintEvent(QPaintEvent* event) {
  if (is_stale_) QTimer::singleShot(0, this, &StepPanel::refreshNow);
  QWidget::paintEvent(event);
}

void StepPanel::refreshSoon() {
  if (visibleRegion().isEmpty())
    is_stale_ = true;
  else
    refreshNow();
}

void StepPanel::refreshNow() {
  is_stale_ = false;
  refresh();
}

}  // namespace meanflow::ui
