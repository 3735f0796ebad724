// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/class_grid_controls.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QPushButton>
#include <QSpinBox>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {

constexpr std::size_t kMaxClassesAtFirst = 16;
enum Way { kNoises, kTowardsSeed, kTowardsClass, kTowardsBoth };

bool isStudentStage(const QString& stage) {
  return stage == QLatin1String("cmt") || stage == QLatin1String("mean_flow") || stage == QLatin1String("control");
}

QDoubleSpinBox* decimal(double low, double high, double step, double value, const QString& name, const QString& tip) {
  auto* box = new QDoubleSpinBox;
  box->setRange(low, high);
  box->setSingleStep(step);
  box->setDecimals(2);
  box->setValue(value);
  box->setAccessibleName(name);
  box->setToolTip(tip);
  box->setKeyboardTracking(false);
  return box;
}

}  // namespace

QString checkpointTitle(const QString& path) {
  const auto stage = path.section(QLatin1Char('/'), 0, 0);
  const auto step = path.section(QStringLiteral("step_"), -1).toLongLong();
  return ClassGridControls::tr("%1 step %2").arg(stageTitle(stage.toStdString()), formatCount(step));
}

ClassGridControls::ClassGridControls(const Theme& theme, QWidget* parent)
    : QScrollArea(parent),
      search_(new QLineEdit),
      classes_(new QListWidget),
      model_(new QComboBox),
      nfe_(new QSpinBox),
      checkpoint_(new QComboBox),
      compare_(new QComboBox),
      weights_(new QComboBox),
      guidance_(
          decimal(0, 100, 0.5, 2, tr("Guidance scale"), tr("How far the teacher is led towards the class; 1 = off"))),
      guidance_from_(decimal(0, 1, 0.05, 0, tr("Guided from time"), tr("Guidance is active from this time on"))),
      guidance_to_(decimal(0, 1, 0.05, 1, tr("Guided to time"), tr("Guidance is active up to this time"))),
      guidance_row_(new QWidget),
      seed_(new QSpinBox),
      noises_(new QLineEdit(QStringLiteral("0-7"))),
      truncation_(
          decimal(0, 1, 0.05, 1, tr("Truncation of the noise"),
                  tr("Factor on the noise. 1: as in training. Less: every image stays what it is, only nearer to "
                     "what is usual for its class; below some 0.7 a network has seen no such noise and images "
                     "become pale"))),
      way_(new QComboBox),
      to_seed_(new QSpinBox),
      to_class_(new QComboBox),
      between_(new QSpinBox),
      shared_(new QCheckBox(tr("Same noise in every row"))),
      at_once_(new QCheckBox(tr("Draw as I choose"))),
      make_(new QPushButton(tr("Make"))),
      save_(new QPushButton(tr("Save…"))),
      buttons_(new QHBoxLayout) {
  build(theme);
  connect(make_, &QPushButton::clicked, this, &ClassGridControls::makeRequested);
  connect(save_, &QPushButton::clicked, this, &ClassGridControls::saveRequested);
  refreshModel();
  refreshWay();
}

void ClassGridControls::build(const Theme& theme) {
  auto* page = new QWidget;
  auto* column = new QVBoxLayout(page);
  column->setContentsMargins(8, 8, 8, 8);
  column->setSpacing(6);
  search_->setPlaceholderText(tr("Find classes"));
  search_->setClearButtonEnabled(true);
  search_->setAccessibleName(tr("Find classes by name or number"));
  search_->addAction(theme.icon(QStringLiteral("search"), &ThemeColors::muted), QLineEdit::LeadingPosition);
  classes_->setAccessibleName(tr("Classes, ticked ones get a row"));
  classes_->setToolTip(tr("Ticked classes get a row; Space ticks the chosen one"));
  classes_->setMinimumHeight(90);
  column->addWidget(search_);
  column->addWidget(classes_, 1);
  auto* ticks = new QHBoxLayout;
  for (const bool is_on : {true, false}) {
    auto* button = new QPushButton(is_on ? tr("All found") : tr("None"));
    button->setToolTip(is_on ? tr("Tick the classes that the search shows") : tr("Untick every class"));
    connect(button, &QPushButton::clicked, this, [this, is_on] {
      {
        const QSignalBlocker blocker(classes_);
        for (int i = 0; i < classes_->count(); ++i) {
          if (!is_on || !classes_->item(i)->isHidden())
            classes_->item(i)->setCheckState(is_on ? Qt::Checked : Qt::Unchecked);
        }
      }
      tell();
    });
    ticks->addWidget(button);
  }
  column->addLayout(ticks);
  auto* form = new QFormLayout;
  form->setContentsMargins(0, 0, 0, 0);
  form->setVerticalSpacing(4);
  form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
  buildModel(form);
  buildNoises(form);
  column->addLayout(form);
  column->addWidget(shared_);
  at_once_->setChecked(true);
  at_once_->setToolTip(tr("Make images with every change; otherwise with the button alone"));
  column->addWidget(at_once_);
  make_->setProperty("primary", true);
  make_->setAccessibleName(tr("Make images"));
  save_->setAccessibleName(tr("Save the grid as PNG"));
  make_->setToolTip(tr("Make the images now"));
  save_->setToolTip(tr("The grid with everything that made it inside; dropped here, the PNG brings its settings back"));
  buttons_->addWidget(make_, 1);
  buttons_->addWidget(save_, 1);
  column->addLayout(buttons_);
  connect(search_, &QLineEdit::textChanged, this, &ClassGridControls::filterClasses);
  connect(classes_, &QListWidget::itemChanged, this, &ClassGridControls::tell);
  connect(shared_, &QCheckBox::toggled, this, &ClassGridControls::tell);
  setWidget(page);
  setWidgetResizable(true);
  setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  setAccessibleName(tr("What to make"));
  setFocusPolicy(Qt::NoFocus);
  setMinimumWidth(page->minimumSizeHint().width() + 14);  // with the scroll bar
}

void ClassGridControls::buildModel(QFormLayout* form) {
  model_->addItems({tr("Student"), tr("Teacher")});
  model_->setAccessibleName(tr("Network that draws"));
  model_->setToolTip(tr("The student in few steps, or the teacher by solving its equation"));
  nfe_->setRange(1, 1000);
  nfe_->setAccessibleName(tr("Network evaluations an image"));
  nfe_->setToolTip(tr("Network evaluations an image: 1, 2, 4 for the student, some 50 for the teacher"));
  nfe_->setKeyboardTracking(false);
  auto* nfe_row = new QHBoxLayout;
  nfe_row->setSpacing(3);
  nfe_row->addWidget(nfe_, 1);
  for (const int steps : {1, 2, 4}) {
    auto* button = new QToolButton;
    button->setText(QString::number(steps));
    button->setProperty("framed", true);
    button->setFocusPolicy(Qt::StrongFocus);
    const QString name = steps == 1 ? tr("One step") : tr("%1 steps").arg(steps);
    button->setAccessibleName(name);
    button->setToolTip(name);
    connect(button, &QToolButton::clicked, this, [this, steps] { nfe_->setValue(steps); });
    nfe_row->addWidget(button);
  }
  checkpoint_->setAccessibleName(tr("Checkpoint"));
  checkpoint_->setToolTip(tr("Whose weights draw: the newest, or those of one checkpoint"));
  compare_->setAccessibleName(tr("Checkpoint to compare with"));
  compare_->setToolTip(tr("The same classes and noises from another checkpoint, under a wipe"));
  for (auto* box : {checkpoint_, compare_}) {
    box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    box->setMinimumContentsLength(8);
  }
  weights_->addItems({tr("Average (EMA)"), tr("Raw")});
  weights_->setAccessibleName(tr("Weights"));
  weights_->setToolTip(tr("The average of the weights over training, or the weights themselves"));
  auto* guidance = new QHBoxLayout(guidance_row_);
  guidance->setContentsMargins(0, 0, 0, 0);
  guidance->setSpacing(3);
  for (auto* box : {guidance_, guidance_from_, guidance_to_}) {
    box->setButtonSymbols(QAbstractSpinBox::NoButtons);
    guidance->addWidget(box, 1);
    connect(box, &QDoubleSpinBox::valueChanged, this, &ClassGridControls::tell);
  }
  form->addRow(tr("Network"), model_);
  form->addRow(tr("Steps"), nfe_row);
  form->addRow(tr("Weights of"), checkpoint_);
  form->addRow(tr("Against"), compare_);
  form->addRow(tr("Weights"), weights_);
  form->addRow(tr("Guidance"), guidance_row_);
  connect(model_, &QComboBox::activated, this, [this](int index) {
    nfe_->setValue(index == 1 ? 50 : 1);
    refreshModel();
    tell();
  });
  connect(nfe_, &QSpinBox::valueChanged, this, &ClassGridControls::tell);
  for (auto* box : {checkpoint_, compare_, weights_})
    connect(box, &QComboBox::activated, this, &ClassGridControls::tell);
}

void ClassGridControls::buildNoises(QFormLayout* form) {
  seed_->setRange(0, 2147483647);
  seed_->setAccessibleName(tr("Seed"));
  seed_->setToolTip(tr("Seed of the noises; the same seed and number give the same noise for every network"));
  seed_->setKeyboardTracking(false);
  noises_->setAccessibleName(tr("Noises"));
  noises_->setToolTip(tr("Numbers and ranges of the noises, a column each: 0-7, or 0, 3, 12"));
  shared_->setToolTip(tr("Off: the noises of the saved grids and the report, other ones in every row"));
  way_->addItems({tr("noises"), tr("to a seed"), tr("to a class"), tr("to a seed and class")});
  way_->setAccessibleName(tr("What the columns are"));
  way_->setToolTip(tr(
      "A noise each; or the way from the row's noise to that of another seed, or from its class to another one. "
      "Between "
      "noises the way is on the sphere, so that all of them are as long as noise is; between classes their embeddings "
      "are mixed"));
  way_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
  way_->setMinimumContentsLength(8);
  to_seed_->setRange(0, 2147483647);
  to_seed_->setValue(1);
  to_seed_->setAccessibleName(tr("Seed at the right end"));
  to_seed_->setToolTip(tr("The last column has the noise of the same number of this seed"));
  to_seed_->setKeyboardTracking(false);
  to_class_->setAccessibleName(tr("Class at the right end"));
  to_class_->setToolTip(tr("The last column shows this class"));
  to_class_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
  to_class_->setMinimumContentsLength(8);
  between_->setRange(2, 64);
  between_->setValue(8);
  between_->setAccessibleName(tr("Images from end to end"));
  between_->setToolTip(tr("Columns of the interpolation, both ends included"));
  between_->setKeyboardTracking(false);
  form->addRow(tr("Seed"), seed_);
  form->addRow(tr("Noises"), noises_);
  form->addRow(tr("Truncation"), truncation_);
  form->addRow(tr("Columns"), way_);
  form->addRow(tr("To seed"), to_seed_);
  form->addRow(tr("To class"), to_class_);
  form->addRow(tr("Images"), between_);
  int row = 0;
  for (QWidget* editor :
       {static_cast<QWidget*>(to_seed_), static_cast<QWidget*>(to_class_), static_cast<QWidget*>(between_)})
    way_rows_[row++] = {editor, form->labelForField(editor)};
  connect(way_, &QComboBox::activated, this, [this](int way) {
    // One way a row to begin with: eight noises of eight classes are more than one looks at.
    if (way != kNoises && noises_->text() == QLatin1String("0-7")) noises_->setText(QStringLiteral("0"));
    if (way == kNoises && noises_->text() == QLatin1String("0")) noises_->setText(QStringLiteral("0-7"));
    refreshWay();
    tell();
  });
  connect(to_class_, &QComboBox::activated, this, &ClassGridControls::tell);
  for (auto* box : {seed_, to_seed_, between_}) connect(box, &QSpinBox::valueChanged, this, &ClassGridControls::tell);
  connect(truncation_, &QDoubleSpinBox::valueChanged, this, &ClassGridControls::tell);
  connect(noises_, &QLineEdit::textEdited, this, &ClassGridControls::tell);
}

void ClassGridControls::tell() {
  if (at_once_->isChecked()) Q_EMIT changed();
}

void ClassGridControls::setCan(bool can_make, bool can_save) {
  make_->setEnabled(can_make);
  save_->setEnabled(can_save);
}

void ClassGridControls::addButton(QWidget* button) { buttons_->addWidget(button); }

void ClassGridControls::refreshWay() {
  const int way = way_->currentIndex();
  const bool is_on[] = {way == kTowardsSeed || way == kTowardsBoth, way == kTowardsClass || way == kTowardsBoth,
                        way != kNoises};
  for (int i = 0; i < 3; ++i)
    for (auto* widget : way_rows_[i]) widget->setVisible(is_on[i]);
}

void ClassGridControls::useCheckpoints(const QString& checkpoint, const QString& compare_with) {
  for (const auto& path : {checkpoint, compare_with}) {
    const auto is_it = [&](const auto& known) { return known.second == path; };
    if (!path.isEmpty() && std::none_of(checkpoints_.begin(), checkpoints_.end(), is_it))
      checkpoints_.emplace_back(path.section(QLatin1Char('/'), 0, 0), path);
  }
  const bool is_teacher = checkpoint.startsWith(QLatin1String("teacher/"));
  if (is_teacher != (model_->currentIndex() == 1)) {
    model_->setCurrentIndex(is_teacher ? 1 : 0);
    const QSignalBlocker blocker(nfe_);
    nfe_->setValue(is_teacher ? 50 : 1);
  }
  refreshModel();
  checkpoint_->setCurrentIndex(std::max(0, checkpoint_->findData(checkpoint)));
  compare_->setCurrentIndex(std::max(0, compare_->findData(compare_with)));
}

QString ClassGridControls::compareWith() const { return compare_->currentData().toString(); }

void ClassGridControls::setCheckpoints(std::vector<std::pair<QString, QString>> checkpoints) {
  checkpoints_ = std::move(checkpoints);
  fillCheckpoints();
}

void ClassGridControls::setClasses(const std::vector<std::string>& names) {
  if (names == class_names_) return;
  class_names_ = names;
  const QSignalBlocker blocker(classes_);
  classes_->clear();
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto* item = new QListWidgetItem(tr("%1  %2").arg(i).arg(QString::fromStdString(names[i])), classes_);
    item->setData(Qt::UserRole, static_cast<int>(i));
    item->setFlags(Qt::ItemIsEnabled | Qt::ItemIsSelectable | Qt::ItemIsUserCheckable);
    item->setCheckState(i < kMaxClassesAtFirst ? Qt::Checked : Qt::Unchecked);
  }
  const int chosen = to_class_->currentIndex();
  to_class_->clear();
  for (std::size_t i = 0; i < names.size(); ++i)
    to_class_->addItem(tr("%1  %2").arg(i).arg(QString::fromStdString(names[i])));
  if (chosen >= 0) to_class_->setCurrentIndex(std::min(chosen, to_class_->count() - 1));
  classes_->setEnabled(!names.empty());
  filterClasses();
}

void ClassGridControls::filterClasses() {
  const QString wanted = search_->text().trimmed();
  for (int i = 0; i < classes_->count(); ++i) {
    auto* item = classes_->item(i);
    item->setHidden(!wanted.isEmpty() && !item->text().contains(wanted, Qt::CaseInsensitive));
  }
}

void ClassGridControls::fillCheckpoints() {
  const bool is_teacher = model_->currentIndex() == 1;
  for (auto* box : {checkpoint_, compare_}) {
    const QString before = box->currentData().toString();
    box->clear();
    box->addItem(box == compare_ ? tr("nothing") : tr("newest"), QString());
    for (auto each = checkpoints_.rbegin(); each != checkpoints_.rend(); ++each) {
      const auto& [stage, path] = *each;
      if (is_teacher ? stage == QLatin1String("teacher") : isStudentStage(stage))
        box->addItem(checkpointTitle(path), path);
    }
    box->setCurrentIndex(std::max(0, box->findData(before)));
  }
}

void ClassGridControls::refreshModel() {
  guidance_row_->setEnabled(model_->currentIndex() == 1);
  fillCheckpoints();
}

SampleSettings ClassGridControls::settings() const {
  SampleSettings settings;
  for (int i = 0; i < classes_->count(); ++i) {
    if (classes_->item(i)->checkState() == Qt::Checked)
      settings.classes.push_back(classes_->item(i)->data(Qt::UserRole).toInt());
  }
  settings.noises = noises_->text();
  settings.has_shared_noise = shared_->isChecked();
  settings.seed = static_cast<std::uint64_t>(seed_->value());
  settings.truncation = truncation_->value();
  const int way = way_->currentIndex();
  if (way == kTowardsSeed || way == kTowardsBoth) settings.towards_seed = static_cast<std::uint64_t>(to_seed_->value());
  if (way == kTowardsClass || way == kTowardsBoth) settings.towards_class = std::max(0, to_class_->currentIndex());
  if (way != kNoises) settings.between = between_->value();
  settings.nfe = nfe_->value();
  settings.use_teacher = model_->currentIndex() == 1;
  settings.guidance_scale = guidance_->value();
  settings.guidance_t_min = guidance_from_->value();
  settings.guidance_t_max = guidance_to_->value();
  settings.use_ema = weights_->currentIndex() == 0;
  settings.checkpoint = checkpoint_->currentData().toString();
  return settings;
}

bool ClassGridControls::setSettings(const SampleSettings& settings) {
  const QSignalBlocker a(classes_), b(nfe_), c(seed_), d(shared_), e(guidance_), f(guidance_from_), g(guidance_to_),
      h(truncation_), i(to_seed_), j(between_);
  for (int row = 0; row < classes_->count(); ++row) {
    const auto label = classes_->item(row)->data(Qt::UserRole).toInt();
    const bool is_on = std::find(settings.classes.begin(), settings.classes.end(), label) != settings.classes.end();
    classes_->item(row)->setCheckState(is_on ? Qt::Checked : Qt::Unchecked);
  }
  model_->setCurrentIndex(settings.use_teacher ? 1 : 0);
  nfe_->setValue(settings.nfe);
  seed_->setValue(static_cast<int>(std::min<std::uint64_t>(settings.seed, 2147483647)));
  shared_->setChecked(settings.has_shared_noise);
  guidance_->setValue(settings.guidance_scale);
  guidance_from_->setValue(settings.guidance_t_min);
  guidance_to_->setValue(settings.guidance_t_max);
  noises_->setText(settings.noises);
  truncation_->setValue(settings.truncation);
  way_->setCurrentIndex(settings.towards_seed && settings.towards_class ? kTowardsBoth
                        : settings.towards_seed                         ? kTowardsSeed
                        : settings.towards_class                        ? kTowardsClass
                                                                        : kNoises);
  if (settings.towards_seed)
    to_seed_->setValue(static_cast<int>(std::min<std::uint64_t>(*settings.towards_seed, 2147483647)));
  if (settings.towards_class) to_class_->setCurrentIndex(static_cast<int>(*settings.towards_class));
  if (settings.isInterpolation()) between_->setValue(settings.between);
  refreshWay();
  weights_->setCurrentIndex(settings.use_ema ? 0 : 1);
  refreshModel();
  const int at = checkpoint_->findData(settings.checkpoint);
  checkpoint_->setCurrentIndex(std::max(0, at));
  return at >= 0;
}

}  // namespace meanflow::ui
