// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/class_map_panel.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QSplitter>
#include <QStackedLayout>
#include <QTreeWidget>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "ui/panels/class_map.h"
#include "ui/panels/empty_state.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {

constexpr int kLabelRole = Qt::UserRole;
constexpr int kOrderRole = Qt::UserRole + 1;
constexpr std::size_t kMostListed = 200;

QString inPercent(double share) { return ClassMapPanel::tr("%1 %").arg(100 * share, 0, 'f', 0); }

QString signedPercent(double share) { return share > 0 ? QStringLiteral("+") + inPercent(share) : inPercent(share); }

}  // namespace

ClassMapPanel::ClassMapPanel(const Theme& theme, QWidget* parent)
    : QWidget(parent),
      pages_(new QStackedLayout),
      empty_(new EmptyState(theme, QStringLiteral("classes"))),
      row_(new QComboBox),
      against_(new QComboBox),
      search_(new QLineEdit),
      verdict_(new QLabel),
      read_out_(new QLabel),
      map_(new ClassMap(theme)),
      list_(new QTreeWidget) {
  setAccessibleName(tr("Classes"));
  row_->setAccessibleName(tr("Images of"));
  row_->setToolTip(tr("Whose images the judge of the report looked at"));
  against_->setAccessibleName(tr("Compared with"));
  against_->setToolTip(tr("Shows which classes were won and lost against these images instead of the accuracy"));
  for (auto* box : {row_, against_}) {
    box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    box->setMinimumContentsLength(12);
  }
  search_->setPlaceholderText(tr("Find classes"));
  search_->setClearButtonEnabled(true);
  search_->setAccessibleName(tr("Find classes on the map by name or number"));
  search_->addAction(theme.icon(QStringLiteral("search"), &ThemeColors::muted), QLineEdit::LeadingPosition);
  verdict_->setWordWrap(true);
  read_out_->setProperty("muted", true);
  read_out_->setMinimumWidth(10);
  list_->setAccessibleName(tr("Classes that stand out"));
  list_->setRootIsDecorated(false);
  list_->setUniformRowHeights(true);
  list_->setAllColumnsShowFocus(true);
  auto* tools = new QHBoxLayout;
  auto* versus = new QLabel(tr("against"));
  versus->setProperty("muted", true);
  tools->addWidget(row_, 1);
  tools->addWidget(versus);
  tools->addWidget(against_, 1);
  tools->addWidget(search_, 1);
  auto* split = new QSplitter(Qt::Horizontal);
  split->addWidget(map_);
  split->addWidget(list_);
  split->setStretchFactor(0, 3);
  split->setStretchFactor(1, 2);
  split->setSizes({420, 260});
  split->setChildrenCollapsible(false);
  list_->setMinimumWidth(140);
  auto* content = new QWidget;
  auto* column = new QVBoxLayout(content);
  column->setContentsMargins(8, 6, 8, 4);
  column->setSpacing(4);
  column->addLayout(tools);
  column->addWidget(verdict_);
  column->addWidget(split, 1);
  column->addWidget(read_out_);
  pages_->addWidget(empty_);
  pages_->addWidget(content);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->addLayout(pages_);

  connect(&scores_, &ClassScores::changed, this, [this] {
    fillRows();
    present();
  });
  for (auto* box : {row_, against_}) connect(box, &QComboBox::activated, this, &ClassMapPanel::present);
  connect(search_, &QLineEdit::textChanged, this, &ClassMapPanel::search);
  connect(map_, &ClassMap::chosen, this, &ClassMapPanel::classChosen);
  connect(map_, &ClassMap::hovered, this, &ClassMapPanel::showText);
  connect(map_, &ClassMap::currentChanged, this, [this] { showText({}); });
  connect(list_, &QTreeWidget::currentItemChanged, this, [this](QTreeWidgetItem* item) {
    if (item && item->data(0, kLabelRole).isValid()) map_->setCurrent(item->data(0, kLabelRole).toInt());
  });
  connect(list_, &QTreeWidget::itemActivated, this, [this](QTreeWidgetItem* item) {
    if (item->data(0, kLabelRole).isValid()) Q_EMIT classChosen(item->data(0, kLabelRole).toInt());
  });
  present();
}

void ClassMapPanel::setSource(RunSource* source) {
  if (source_) source_->disconnect(this);
  source_ = source;
  search_->clear();
  map_->setCurrent(-1);
  if (source_) {
    connect(source_, &RunSource::loadingFinished, this, &ClassMapPanel::present);
    connect(source_, &QObject::destroyed, this, [this] { setSource(nullptr); });
  }
  scores_.setSource(source);
}

QString ClassMapPanel::verdict() const { return verdict_->text(); }

bool ClassMapPanel::showsMap() const { return pages_->currentIndex() == 1; }

const ClassScoreRow* ClassMapPanel::find(const QString& key) const {
  for (const auto& row : scores_.rows())
    if (row.key == key) return &row;
  return nullptr;
}

QString ClassMapPanel::className(int label) const {
  const auto n = static_cast<std::size_t>(label);
  return n < scores_.classNames().size() ? QString::fromStdString(scores_.classNames()[n]) : QString::number(label);
}

void ClassMapPanel::fillRows() {
  const QString row = row_->currentData().toString(), against = against_->currentData().toString();
  row_->clear();
  against_->clear();
  against_->addItem(tr("nothing"), QString());
  for (const auto& each : scores_.rows()) {
    row_->addItem(each.title, each.key);
    against_->addItem(each.title, each.key);
  }
  // To begin with: one step of the newest student there is.
  int first = row_->findData(row);
  for (const char* key : {"student_1", "cmt_1"})
    if (first < 0) first = row_->findData(QLatin1String(key));
  row_->setCurrentIndex(std::max(0, first));
  against_->setCurrentIndex(std::max(0, against_->findData(against)));
}

void ClassMapPanel::choose(const QString& row, const QString& against) {
  row_->setCurrentIndex(std::max(0, row_->findData(row)));
  against_->setCurrentIndex(std::max(0, against_->findData(against)));
  present();
}

void ClassMapPanel::present() {
  const auto* row = find(row_->currentData().toString());
  pages_->setCurrentIndex(row ? 1 : 0);
  if (!row) {
    map_->present(ClassMap::Kind::kAccuracy, {}, {});
    if (!source_)
      empty_->setText(tr("No run is open"), tr("The classes of a run appear here once one is open."));
    else if (source_->isLoading() || scores_.isLoading())
      empty_->setText(tr("Reading the run…"), tr("Classes appear as soon as its report is read."));
    else if (!scores_.trouble().isEmpty())
      empty_->setText(tr("The report cannot be used"), scores_.trouble());
    else
      empty_->setText(tr("The classes of this run have not been scored"),
                      tr("Its last stage, report, has a small classifier look at samples of every class and writes "
                         "report/report.json; the map is made of that. A run without the stage gets it when \"report\" "
                         "is added to its stages and it is continued."));
    return;
  }
  const auto* against = find(against_->currentData().toString());
  list_->clear();
  if (against && against != row)
    presentChange(*against, *row);
  else
    presentAccuracy(*row);
  list_->header()->setStretchLastSection(false);
  for (int i = 0; i < list_->columnCount(); ++i)
    list_->header()->setSectionResizeMode(i, i == 0 ? QHeaderView::Stretch : QHeaderView::ResizeToContents);
  search();
  showText({});
}

void ClassMapPanel::addLine(int label, const QStringList& texts, double order) {
  auto* item = new QTreeWidgetItem(QStringList(className(label)) + texts);
  item->setData(0, kLabelRole, label);
  item->setData(0, kOrderRole, order);
  for (int i = 1; i <= texts.size(); ++i) item->setTextAlignment(i, Qt::AlignRight | Qt::AlignVCenter);
  item->setToolTip(0, tr("%1, class %2").arg(className(label)).arg(label));
  list_->addTopLevelItem(item);
}

void ClassMapPanel::presentAccuracy(const ClassScoreRow& row) {
  std::vector<ClassMap::Cell> cells;
  std::vector<int> order;
  double sum = 0;
  int num_never = 0;
  for (std::size_t i = 0; i < row.accuracy.size(); ++i) {
    const double value = row.accuracy[i];
    const int label = static_cast<int>(i);
    const QString name = tr("%1 (class %2)").arg(className(label)).arg(label);
    cells.push_back({value, false,
                     std::isfinite(value) ? tr("%1: %2 of its images are recognised").arg(name, inPercent(value))
                                          : tr("%1: the report has no figure").arg(name)});
    if (!std::isfinite(value)) continue;
    order.push_back(label);
    sum += value;
    num_never += value == 0 ? 1 : 0;
  }
  map_->present(ClassMap::Kind::kAccuracy, std::move(cells), scores_.classNames());
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return row.accuracy[static_cast<std::size_t>(a)] < row.accuracy[static_cast<std::size_t>(b)];
  });
  list_->setColumnCount(2);
  list_->setHeaderLabels({tr("Weakest"), tr("Right")});
  for (std::size_t i = 0; i < std::min(order.size(), kMostListed); ++i) {
    const double value = row.accuracy[static_cast<std::size_t>(order[i])];
    addLine(order[i], {inPercent(value)}, value);
  }
  if (order.empty()) return verdict_->setText(tr("The report has no figure of any class."));
  QString text = tr("%1 of the images are recognised; classes: %2, images of each: %3")
                     .arg(inPercent(sum / static_cast<double>(order.size())), formatCount(std::ssize(order)),
                          formatNumber(row.samplesAClass()));
  if (num_never > 0) text += tr(", classes never recognised: %1").arg(formatCount(num_never));
  verdict_->setText(text + QLatin1Char('.'));
}

void ClassMapPanel::presentChange(const ClassScoreRow& before, const ClassScoreRow& after) {
  std::vector<ClassMap::Cell> cells;
  for (std::size_t i = 0; i < after.accuracy.size(); ++i)
    cells.push_back({std::nan(""), false, tr("%1: no figure to compare").arg(className(static_cast<int>(i)))});
  auto changes = classChanges(before, after);
  int num_won = 0, num_lost = 0;
  for (const auto& change : changes) {
    auto& cell = cells[static_cast<std::size_t>(change.label)];
    cell.value = change.after - change.before;
    cell.is_notable = std::abs(change.z) >= kNotableZ;
    if (cell.is_notable) ++(change.z > 0 ? num_won : num_lost);
    cell.text = tr("%1 (class %2): %3, before %4, %5 standard errors")
                    .arg(className(change.label))
                    .arg(change.label)
                    .arg(inPercent(change.after), inPercent(change.before), QString::number(change.z, 'f', 1));
  }
  map_->present(ClassMap::Kind::kChange, std::move(cells), scores_.classNames());
  std::stable_sort(changes.begin(), changes.end(), [](const ClassChange& a, const ClassChange& b) {
    return std::abs(a.z) != std::abs(b.z) ? std::abs(a.z) > std::abs(b.z)
                                          : std::abs(a.after - a.before) > std::abs(b.after - b.before);
  });
  list_->setColumnCount(4);
  list_->setHeaderLabels({tr("Class"), tr("Before"), tr("Now"), tr("Change")});
  for (std::size_t i = 0; i < std::min(changes.size(), kMostListed); ++i) {
    const auto& change = changes[i];
    addLine(change.label,
            {inPercent(change.before), inPercent(change.after), signedPercent(change.after - change.before)}, change.z);
  }
  verdict_->setText(
      tr("%1 against %2: %3 won, %4 lost (framed: at least %5 standard errors; chance alone gives some %6 "
         "of %7).")
          .arg(after.title, before.title)
          .arg(num_won)
          .arg(num_lost)
          .arg(kNotableZ)
          .arg(std::lround(0.0455 * static_cast<double>(changes.size())))
          .arg(changes.size()));
}

void ClassMapPanel::search() {
  const QString wanted = search_->text().trimmed();
  if (wanted.isEmpty()) return map_->setFound({});
  bool is_number = false;
  const int number = wanted.toInt(&is_number);
  std::vector<bool> found;
  for (int label = 0; label < map_->numCells(); ++label)
    found.push_back(className(label).contains(wanted, Qt::CaseInsensitive) || (is_number && label == number));
  // One that is left is the one that was meant.
  if (std::count(found.begin(), found.end(), true) == 1)
    map_->setCurrent(static_cast<int>(std::find(found.begin(), found.end(), true) - found.begin()));
  map_->setFound(std::move(found));
}

void ClassMapPanel::showText(const QString& text) {
  read_out_->setText(text.isEmpty() && map_->current() >= 0 ? map_->accessibleDescription() : text);
}

}  // namespace meanflow::ui
