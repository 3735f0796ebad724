// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/data_panel.h"

#include <QCheckBox>
#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QPainter>
#include <QSplitter>
#include <QStackedLayout>
#include <QStandardItemModel>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>
#include <numeric>

#include "ui/panels/empty_state.h"
#include "ui/panels/latent_chart.h"
#include "ui/panels/panel_layout.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {

constexpr int kThumbnailSide = 72;  // of one image, in pixels of the widget
constexpr int kThumbnailGap = 2;

QImage viewOf(const base::Image8& image) {
  return {image.pixels.data(), image.width, image.height, image.width * 3, QImage::Format_RGB888};
}

/// An image, or an image and what the decoder made of it, at the size of a thumbnail: small ones magnified by whole
/// numbers where that fits, so that their pixels stay pixels.
QPixmap thumbnail(const base::Image8& image, const base::Image8* reconstruction, double ratio) {
  const int side = static_cast<int>(kThumbnailSide * ratio), gap = static_cast<int>(kThumbnailGap * ratio);
  QImage canvas(reconstruction ? 2 * side + gap : side, side, QImage::Format_ARGB32_Premultiplied);
  canvas.fill(Qt::transparent);
  QPainter painter(&canvas);
  int left = 0;
  for (const auto* each : {&image, reconstruction}) {
    if (!each || each->empty()) continue;
    const int longest = std::max(each->width, each->height);
    const bool is_small = longest <= side;
    const int shown = is_small ? side / longest * longest : side;
    const auto scaled = viewOf(*each).scaled(shown, shown, Qt::KeepAspectRatio,
                                             is_small ? Qt::FastTransformation : Qt::SmoothTransformation);
    painter.drawImage(left + (side - scaled.width()) / 2, (side - scaled.height()) / 2, scaled);
    left += side + gap;
  }
  painter.end();
  auto pixmap = QPixmap::fromImage(canvas);
  pixmap.setDevicePixelRatio(ratio);
  return pixmap;
}

}  // namespace

DataPanel::DataPanel(const Theme& theme, QWidget* parent)
    : QWidget(parent),
      theme_(theme),
      banner_(new Banner(theme)),
      of_(new QComboBox),
      part_(new QComboBox),
      reconstructions_(new QCheckBox(tr("Reconstructions"))),
      previous_(new QToolButton),
      next_(new QToolButton),
      range_(new QLabel),
      search_(new QLineEdit),
      classes_(new QListWidget),
      images_(new QListWidget),
      caption_(new QLabel),
      latents_(new QLabel),
      chart_(new LatentChart(theme)),
      empty_(new EmptyState(theme, QStringLiteral("grid"))),
      stack_(new QStackedLayout) {
  setAccessibleName(tr("Data"));
  of_->addItems({tr("Run on show"), tr("New run")});
  of_->setAccessibleName(tr("Whose data"));
  of_->setToolTip(tr("The data of the run on show, or of the settings of a new run"));
  part_->addItems({tr("Training"), tr("Held out")});
  part_->setAccessibleName(tr("Training or held-out images"));
  part_->setToolTip(tr("Images that training sees, or those that it never sees"));
  reconstructions_->setChecked(true);
  reconstructions_->setToolTip(tr("Beside each image what the newest decoder makes of it"));
  dressIconButton(*previous_, theme_, "previous", tr("Images before these"), tr("Images before these"));
  dressIconButton(*next_, theme_, "next", tr("Images after these"), tr("Images after these"));
  connect(previous_, &QToolButton::clicked, this, [this] { turn(-1); });
  connect(next_, &QToolButton::clicked, this, [this] { turn(1); });
  auto* tools = new QHBoxLayout;
  tools->setSpacing(4);
  for (QWidget* each :
       {static_cast<QWidget*>(of_), static_cast<QWidget*>(part_), static_cast<QWidget*>(reconstructions_)})
    tools->addWidget(each);
  tools->addStretch(1);
  range_->setProperty("muted", true);

  auto* page = new QWidget;
  buildBrowser(page);
  layOutPanel(*this, banner_, tools, *stack_, page, empty_);

  soon_.setSingleShot(true);
  soon_.setInterval(600);
  connect(&soon_, &QTimer::timeout, this, &DataPanel::ask);
  connect(of_, &QComboBox::currentIndexChanged, this, [this] {
    forget();
    ask();
  });
  connect(part_, &QComboBox::currentIndexChanged, this, [this] {
    first_ = 0;
    ask();
  });
  connect(reconstructions_, &QCheckBox::toggled, this, &DataPanel::ask);
  connect(classes_, &QListWidget::currentItemChanged, this, [this](QListWidgetItem* item) {
    if (!item || item->data(Qt::UserRole).toLongLong() == label_) return;
    label_ = item->data(Qt::UserRole).toLongLong();
    first_ = 0;
    ask();
  });
  connect(search_, &QLineEdit::textChanged, this, &DataPanel::presentClasses);
  offerSources();
  present();
}

void DataPanel::buildBrowser(QWidget* page) {
  search_->setPlaceholderText(tr("Search classes"));
  search_->setClearButtonEnabled(true);
  search_->setAccessibleName(tr("Search classes by name or number"));
  classes_->setAccessibleName(tr("Classes"));
  classes_->setMinimumWidth(110);
  classes_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  images_->setAccessibleName(tr("Images of the chosen class"));
  images_->setViewMode(QListView::IconMode);
  images_->setResizeMode(QListView::Adjust);
  images_->setMovement(QListView::Static);
  images_->setUniformItemSizes(true);
  images_->setSpacing(4);
  for (auto* label : {caption_, latents_}) {
    label->setProperty("muted", true);
    label->setWordWrap(true);
  }
  chart_->setMaximumHeight(150);
  auto* left = new QWidget;
  auto* left_layout = new QVBoxLayout(left);
  left_layout->setContentsMargins(0, 0, 0, 0);
  left_layout->setSpacing(4);
  left_layout->addWidget(search_);
  left_layout->addWidget(classes_, 1);
  auto* right = new QWidget;
  auto* right_layout = new QVBoxLayout(right);
  right_layout->setContentsMargins(0, 0, 0, 0);
  right_layout->setSpacing(4);
  right_layout->addWidget(caption_);
  right_layout->addWidget(images_, 1);
  auto* pages = new QHBoxLayout;
  pages->setSpacing(4);
  pages->addWidget(range_, 1);
  pages->addWidget(previous_);
  pages->addWidget(next_);
  right_layout->addLayout(pages);
  right_layout->addWidget(latents_);
  right_layout->addWidget(chart_);
  auto* split = new QSplitter(Qt::Horizontal);
  split->addWidget(left);
  split->addWidget(right);
  split->setStretchFactor(0, 1);
  split->setStretchFactor(1, 4);
  split->setSizes({150, 600});
  split->setChildrenCollapsible(false);
  auto* layout = new QVBoxLayout(page);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addWidget(split);
}

bool DataPanel::isOfRun() const { return of_->currentIndex() == kOfRun; }

void DataPanel::offerSources() {
  const bool has_run = source_ && !source_->isForeign();
  auto* model = qobject_cast<QStandardItemModel*>(of_->model());
  model->item(kOfRun)->setEnabled(has_run);
  const QSignalBlocker blocker(of_);
  of_->setCurrentIndex(has_run ? kOfRun : kOfDraft);
}

void DataPanel::setHost(base::TrainingHost* host) {
  host_ = host;
  ++id_;  // whatever is still on its way is not waited for
  is_asking_ = false;
  host_ ? ask() : present();
}

void DataPanel::setSource(RunSource* source) {
  if (source_) source_->disconnect(this);
  source_ = source;
  if (source_) {
    seen_checkpoints_ = source_->metrics().revisions().checkpoints;
    connect(source_, &RunSource::changed, this, [this](StoreKind kind) {
      if (kind != StoreKind::kSummary || source_->metrics().revisions().checkpoints == seen_checkpoints_) return;
      seen_checkpoints_ = source_->metrics().revisions().checkpoints;
      const auto& summary = source_->summary();
      const bool is_decoder = summary.current_stage >= 0 &&
                              summary.stages[static_cast<std::size_t>(summary.current_stage)].name == "decoder";
      if (is_decoder && isOfRun() && !soon_.isActive()) soon_.start();  // a newer decoder to look through
    });
  }
  offerSources();
  forget();
  ask();
}

void DataPanel::forget() {
  ++id_;
  is_asking_ = has_answer_ = false;
  answer_ = {};
  label_ = 0;
  first_ = 0;
  present();
}

void DataPanel::draftChanged() {
  if (!isOfRun()) soon_.start();
}

void DataPanel::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  if (!has_answer_ && !is_asking_) ask();
}

void DataPanel::ask() {
  soon_.stop();
  if (!host_ || !isVisible() || (isOfRun() ? !source_ : !draft_)) return present();
  base::DataQuestion question;
  if (isOfRun())
    question.run_folder = source_->folder().toStdString();
  else
    question.config = draft_().toStdString();
  question.label = label_;
  question.is_held_out = part_->currentIndex() == 1;
  question.first = first_;
  question.count = kImagesAPage;
  question.wants_reconstructions = reconstructions_->isChecked() && isOfRun();
  is_asking_ = true;
  const auto id = ++id_;
  host_->browseData(question,
                    answers_.to<base::DataAnswer>([this, id](const base::DataAnswer& answer) { take(id, answer); }));
  present();
}

void DataPanel::take(std::int64_t id, const base::DataAnswer& answer) {
  if (id != id_) return;
  is_asking_ = false;
  has_answer_ = true;
  answer_ = answer;
  // Fewer classes than before: the settings of a new run name other data now.
  if (label_ > 0 && label_ >= static_cast<std::int64_t>(answer.class_names.size()) && !answer.class_names.empty()) {
    label_ = 0;
    first_ = 0;
    ask();
    return;
  }
  present();
}

int DataPanel::numOfClass() const {
  const auto& counts = part_->currentIndex() == 1 ? answer_.num_held_out : answer_.num_training;
  return label_ >= 0 && label_ < static_cast<std::int64_t>(counts.size())
             ? static_cast<int>(counts[static_cast<std::size_t>(label_)])
             : 0;
}

void DataPanel::turn(int pages) {
  first_ = std::clamp(first_ + pages * kImagesAPage, 0, std::max(0, (numOfClass() - 1) / kImagesAPage * kImagesAPage));
  ask();
}

void DataPanel::present() {
  const bool has_data = has_answer_ && !answer_.class_names.empty();
  stack_->setCurrentIndex(has_data ? 0 : 1);
  reconstructions_->setEnabled(isOfRun());
  part_->setEnabled(has_data);
  banner_->showMessage(has_data ? QString::fromStdString(answer_.error) : QString(), true);
  if (!host_)
    empty_->setText(tr("The training library is not loaded"), tr("It reads the images; it is opened after the start."));
  else if (isOfRun() && !source_)
    empty_->setText(tr("No run is open"), tr("Open a run, or choose the settings of a new run above."));
  else if (!has_answer_)
    empty_->setText(tr("Reading the data…"), tr("The emoji set is drawn once, which takes a few seconds."));
  else
    empty_->setText(tr("There is no data at hand"), QString::fromStdString(answer_.error));
  presentClasses();
  presentImages();
}

void DataPanel::presentClasses() {
  const QSignalBlocker blocker(classes_);
  classes_->clear();
  const QString wanted = search_->text().trimmed();
  for (std::size_t i = 0; i < answer_.class_names.size(); ++i) {
    const QString name = QString::fromStdString(answer_.class_names[i]);
    if (!wanted.isEmpty() && !name.contains(wanted, Qt::CaseInsensitive) && QString::number(i) != wanted) continue;
    auto* item = new QListWidgetItem(tr("%1  %2").arg(name, formatCount(answer_.num_training[i])), classes_);
    item->setData(Qt::UserRole, static_cast<qlonglong>(i));
    const QString text = tr("%1 (class %2): %3 for training, %4 held out")
                             .arg(name)
                             .arg(i)
                             .arg(formatCount(answer_.num_training[i]), formatCount(answer_.num_held_out[i]));
    item->setToolTip(text);
    item->setData(Qt::AccessibleTextRole, text);
    if (static_cast<std::int64_t>(i) == label_) classes_->setCurrentItem(item);
  }
}

void DataPanel::presentImages() {
  const bool has_pairs = !answer_.reconstructions.empty() && answer_.reconstructions.size() == answer_.images.size();
  images_->clear();
  images_->setIconSize({has_pairs ? 2 * kThumbnailSide + kThumbnailGap : kThumbnailSide, kThumbnailSide});
  images_->setGridSize(images_->iconSize() + QSize(10, 8));
  for (std::size_t i = 0; i < answer_.images.size(); ++i) {
    const auto* made = has_pairs ? answer_.reconstructions[i].get() : nullptr;
    auto* item = new QListWidgetItem(QIcon(thumbnail(*answer_.images[i], made, devicePixelRatioF())), {}, images_);
    const QString source = i < answer_.sources.size() ? QString::fromStdString(answer_.sources[i]) : QString();
    const QString text = tr("Image %1, of %2").arg(answer_.first + static_cast<std::int64_t>(i) + 1).arg(source);
    item->setToolTip(has_pairs ? tr("%1\nLeft as it is, right as the decoder makes it").arg(text) : text);
    item->setData(Qt::AccessibleTextRole, text);
  }
  const int count = numOfClass();
  const int last = first_ + static_cast<int>(answer_.images.size());
  range_->setText(answer_.images.empty() ? (is_asking_ ? tr("reading…") : tr("no images"))
                  : is_asking_           ? tr("reading…")
                                         : tr("%1 to %2 of %3").arg(first_ + 1).arg(last).arg(formatCount(count)));
  previous_->setEnabled(first_ > 0);
  next_->setEnabled(last < count && !answer_.images.empty());
  const auto total = [](const std::vector<std::int64_t>& counts) {
    return formatCount(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
  };
  QStringList words = {tr("%1: %2 classes, %3 training and %4 held-out images")
                           .arg(QString::fromStdString(answer_.description))
                           .arg(answer_.class_names.size())
                           .arg(total(answer_.num_training), total(answer_.num_held_out))};
  if (has_pairs)
    words << tr("beside each image what %1 makes of it (PSNR of these %2 dB)")
                 .arg(QString::fromStdString(answer_.decoder))
                 .arg(answer_.psnr, 0, 'f', 2);
  else if (!answer_.no_reconstructions.empty())
    words << QString::fromStdString(answer_.no_reconstructions);
  caption_->setText(words.join(QStringLiteral(" · ")));
  const bool has_latents = !answer_.channel_mean.empty();
  chart_->setVisible(has_latents);
  if (has_latents) chart_->present(answer_.channel_mean, answer_.channel_std);
  latents_->setText(
      has_latents
          ? tr("Latent channels over all positions and images, %1:").arg(QString::fromStdString(answer_.statistics))
          : QString::fromStdString(answer_.no_statistics));
}

}  // namespace meanflow::ui
