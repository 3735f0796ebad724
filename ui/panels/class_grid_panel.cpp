// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/class_grid_panel.h"

#include <QDragEnterEvent>
#include <QFileDialog>
#include <QFileInfo>
#include <QImage>
#include <QLabel>
#include <QMimeData>
#include <QSplitter>
#include <QUrl>
#include <QVBoxLayout>
#include <algorithm>

#include "core/base/formats/png.h"
#include "core/base/run/run_folder.h"
#include "ui/panels/class_grid_controls.h"
#include "ui/panels/drag_button.h"
#include "ui/panels/empty_state.h"
#include "ui/panes/compare_pane.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {

constexpr int kSoonMs = 120;

QString className(const std::vector<std::string>& names, std::int64_t label) {
  return label >= 0 && label < static_cast<std::int64_t>(names.size())
             ? QString::fromStdString(names[static_cast<std::size_t>(label)])
             : QString::number(static_cast<qlonglong>(label));
}

}  // namespace

ClassGridPanel::ClassGridPanel(const Theme& theme, QWidget* parent)
    : QWidget(parent),
      controls_(new ClassGridControls(theme)),
      banner_(new Banner(theme, true)),
      status_(new QLabel),
      pane_(new ComparePane),
      drag_(new DragButton(theme, [this] { return dragData(); })) {
  setAccessibleName(tr("Class grids"));
  setAcceptDrops(true);
  auto* splitter = new QSplitter;
  splitter->addWidget(controls_);
  auto* right = new QWidget;
  auto* column = new QVBoxLayout(right);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addWidget(banner_);
  column->addWidget(pane_, 1);
  status_->setProperty("muted", true);
  status_->setContentsMargins(8, 3, 8, 4);
  status_->setWordWrap(true);
  column->addWidget(status_);
  splitter->addWidget(right);
  splitter->setStretchFactor(1, 1);
  splitter->setSizes({230, 500});
  splitter->setChildrenCollapsible(false);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(splitter);

  soon_.setSingleShot(true);
  soon_.setInterval(kSoonMs);
  connect(&soon_, &QTimer::timeout, this, &ClassGridPanel::make);
  connect(controls_, &ClassGridControls::changed, &soon_, qOverload<>(&QTimer::start));
  connect(controls_, &ClassGridControls::makeRequested, this, &ClassGridPanel::make);
  connect(controls_, &ClassGridControls::saveRequested, this, &ClassGridPanel::askSave);
  controls_->addButton(drag_);
  connect(drag_, &DragButton::copied, this,
          [this] { status_->setText(tr("The grid and a file with its settings are on the clipboard.")); });
  connect(&job_, &SampleJob::changed, this, &ClassGridPanel::present);
  connect(&job_, &SampleJob::failed, this, [this](const QString& why) {
    banner_->showMessage(why, true);
    present();
  });
  present();
}

ClassGridPanel::~ClassGridPanel() = default;

void ClassGridPanel::setHost(base::TrainingHost* host) {
  job_.setHost(host);
  present();
}

void ClassGridPanel::setSource(RunSource* source) {
  if (source_) source_->disconnect(this);
  source_ = source;
  job_.forget();
  soon_.stop();
  banner_->hide();
  controls_->setCheckpoints({});
  controls_->setClasses(source_ ? source_->summary().class_names : std::vector<std::string>{});
  seen_checkpoints_ = 0;
  if (source_) {
    connect(source_, &RunSource::changed, this, [this](StoreKind kind) {
      if (kind != StoreKind::kSummary) return;
      if (controls_->classes() != source_->summary().class_names) {
        controls_->setClasses(source_->summary().class_names);
        present();
      }
      lookForCheckpoints();
    });
  }
  lookForCheckpoints();
  pane_->setSides({}, {}, 0, 0, {});
  present();
}

void ClassGridPanel::lookForCheckpoints() {
  if (!source_ || source_->metrics().revisions().checkpoints == seen_checkpoints_) return;
  seen_checkpoints_ = source_->metrics().revisions().checkpoints;
  background_.run(
      this,
      [folder = source_->folder()] {
        std::vector<std::pair<QString, QString>> found;
        const auto run = base::RunFolder::open(folder.toStdString());
        if (!run.ok()) return found;
        for (const char* stage : {"teacher", "cmt", "mean_flow", "control"}) {
          for (const auto& entry : run->listCheckpoints(stage))
            found.emplace_back(QLatin1String(stage), QString::fromStdString(run->relative(entry.path)));
        }
        return found;
      },
      [this, folder = source_->folder()](std::vector<std::pair<QString, QString>> found) {
        if (source_ && source_->folder() == folder) controls_->setCheckpoints(std::move(found));
      });
}

void ClassGridPanel::setSettings(const SampleSettings& settings) {
  const bool is_known = controls_->setSettings(settings);
  make();
  if (!is_known)
    banner_->showMessage(tr("This run has no checkpoint %1 (any more); the newest is used.").arg(settings.checkpoint),
                         false);
}

void ClassGridPanel::useCheckpoints(const QString& checkpoint, const QString& compare_with) {
  controls_->useCheckpoints(checkpoint, compare_with);
  make();
}

void ClassGridPanel::showClass(std::int64_t label) {
  auto settings = controls_->settings();
  settings.classes = {label};
  controls_->setSettings(settings);
  make();
}

void ClassGridPanel::make() {
  soon_.stop();
  if (!source_ || !job_.hasHost()) return present();
  const auto wanted = controls_->settings();
  if (const QString problem = wanted.problem(); !problem.isEmpty()) {
    job_.cancel();
    banner_->showMessage(problem, false);
    return present();
  }
  banner_->hide();
  std::optional<SampleSettings> other;
  if (const QString path = controls_->compareWith(); !path.isEmpty()) {
    other = wanted;
    other->checkpoint = path;
  }
  job_.start(source_->folder(), wanted, other);
}

QString ClassGridPanel::runName() const {
  if (!source_) return {};
  const auto& name = source_->summary().run_name;
  return name.empty() ? QFileInfo(source_->folder()).fileName() : QString::fromStdString(name);
}

QString ClassGridPanel::captionOf(const SampleSettings& settings) const {
  QString text = settings.checkpoint.isEmpty() ? (settings.use_teacher ? tr("Teacher, newest") : tr("Student, newest"))
                                               : checkpointTitle(settings.checkpoint);
  text += (settings.nfe == 1 ? tr(", 1 step") : tr(", %1 steps").arg(settings.nfe));
  if (settings.truncation != 1) text += tr(", truncation %1").arg(settings.truncation);
  if (settings.towards_seed) text += tr(", seed %1 to %2").arg(settings.seed).arg(*settings.towards_seed);
  if (settings.towards_class) text += tr(", to %1").arg(className(controls_->classes(), *settings.towards_class));
  if (settings.use_teacher && settings.guidance_scale != 1) text += tr(", guidance %1").arg(settings.guidance_scale);
  return settings.use_ema ? text : text + tr(", raw weights");
}

QStringList ClassGridPanel::rowLabels(const SampleSettings& settings) const {
  QStringList labels;
  const auto numbers = settings.columns().value_or(std::vector<std::uint64_t>{});
  for (const auto label : settings.classes) {
    const QString name = className(controls_->classes(), label);
    if (!settings.isInterpolation() || numbers.size() == 1) {
      labels << name;
      continue;
    }
    for (const auto number : numbers) labels << tr("%1, noise %2").arg(name).arg(number);
  }
  return labels;
}

void ClassGridPanel::present() {
  const auto& class_names = controls_->classes();
  controls_->setCan(source_ && job_.hasHost() && !class_names.empty(), job_.grid(0) && !job_.isBusy());
  drag_->setEnabled(job_.grid(0) && !job_.isBusy());
  if (!source_)
    pane_->setNotice(tr("No run is open"), tr("Open a run with a trained decoder and student to make images with it."));
  else if (!job_.hasHost())
    pane_->setNotice(tr("Images cannot be made here"),
                     tr("The training library is not loaded (yet); the saved grids are in the panel Samples."));
  else if (class_names.empty())
    pane_->setNotice(tr("The run has not named its classes yet"), tr("It does so when its data is prepared."));
  else
    pane_->setNotice(tr("Nothing made yet"),
                     job_.isBusy() ? tr("The networks are being loaded…") : tr("Choose classes, then press Make."));
  if (!source_ || (!job_.grid(0) && !job_.isBusy())) {
    status_->setText(tr("A PNG saved here or by meanflow sample, dropped on this panel, brings its settings back."));
    return;
  }
  if (job_.numWanted() > 0) {
    const auto& made = job_.settings();
    SampleSettings other = made;
    other.checkpoint = controls_->compareWith();
    pane_->setSides({job_.grid(0), captionOf(made)}, {job_.grid(1), captionOf(other)}, made.numRows(),
                    made.numColumns(), rowLabels(made));
  }
  if (job_.isBusy())
    status_->setText(tr("%1 of %2 images…").arg(job_.numDone()).arg(job_.numWanted()));
  else if (job_.totalMs() >= 0)
    status_->setText(tr("%1 images; the first after %2 ms, all after %3 ms")
                         .arg(job_.numDone())
                         .arg(job_.firstMs(), 0, 'f', 0)
                         .arg(job_.totalMs(), 0, 'f', 0));
}

base::Result<void> ClassGridPanel::savePng(const QString& path) const {
  if (!job_.grid(0)) return base::Error{tr("There is no grid to save yet.").toStdString()};
  return base::writePng(path.toStdString(), *job_.grid(0), job_.settings().toTexts(runName()));
}

std::unique_ptr<QMimeData> ClassGridPanel::dragData() {
  const auto grid = job_.grid(0);
  if (!grid || job_.isBusy()) return nullptr;
  auto content = std::make_unique<QMimeData>();
  const QString path = dragged_.filePath(QStringLiteral("%1-%2.png").arg(runName()).arg(++num_dragged_));
  if (const auto saved = savePng(path); !saved.ok()) {
    banner_->showMessage(
        tr("The file to drag could not be written: %1").arg(QString::fromStdString(saved.error().message)), true);
    return nullptr;
  }
  content->setUrls({QUrl::fromLocalFile(path)});
  content->setImageData(
      QImage(grid->pixels.data(), grid->width, grid->height, 3 * grid->width, QImage::Format_RGB888).copy());
  return content;
}

void ClassGridPanel::askSave() {
  const QString path = QFileDialog::getSaveFileName(this, tr("Save the grid"), runName() + QStringLiteral(".png"),
                                                    tr("Pictures (*.png)"));
  if (path.isEmpty()) return;
  if (const auto saved = savePng(path); !saved.ok())
    banner_->showMessage(QString::fromStdString(saved.error().message), true);
}

bool ClassGridPanel::restoreFrom(const QString& path) {
  base::PngTexts texts;
  const auto image = base::readPng(path.toStdString(), &texts);
  const auto settings = image.ok() ? SampleSettings::fromTexts(texts) : std::nullopt;
  if (!settings) {
    banner_->showMessage(image.ok()
                             ? tr("%1 holds no settings of a grid: only PNGs saved here or by meanflow sample do.")
                                   .arg(QFileInfo(path).fileName())
                             : QString::fromStdString(image.error().message),
                         false);
    return false;
  }
  setSettings(*settings);
  return true;
}

void ClassGridPanel::dragEnterEvent(QDragEnterEvent* event) {
  const auto urls = event->mimeData()->urls();
  if (urls.size() == 1 && urls.front().toLocalFile().endsWith(QLatin1String(".png"), Qt::CaseInsensitive))
    event->acceptProposedAction();
}

void ClassGridPanel::dropEvent(QDropEvent* event) {
  event->acceptProposedAction();
  restoreFrom(event->mimeData()->urls().front().toLocalFile());
}

}  // namespace meanflow::ui
