// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/system_panel.h"

#include <QFileInfo>
#include <QGridLayout>
#include <QLabel>
#include <QStyle>
#include <QVBoxLayout>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string_view>

#include "core/base/run/run_state.h"
#include "ui/panels/system_charts.h"
#include "ui/theme/format.h"
#include "ui/theme/theme.h"

namespace meanflow::ui {
namespace {

constexpr double kGib = 1024.0 * 1024 * 1024;
constexpr std::int64_t kLittleDisk = std::int64_t{2} << 30;
constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();
constexpr const char* kTimePrefix = "time/";

QString gib(std::int64_t bytes) {
  const double value = static_cast<double>(bytes) / kGib;
  return QString::number(value, 'f', value < 10 ? 2 : value < 100 ? 1 : 0);
}

QString percent(double share) { return SystemPanel::tr("%1 %").arg(100 * share, 0, 'f', 0); }

QString gpuText(const base::GpuReading& gpu) {
  QStringList words;
  if (gpu.utilisation) words << SystemPanel::tr("%1 busy").arg(percent(*gpu.utilisation));
  if (gpu.memory_used && gpu.memory_total)
    words << SystemPanel::tr("%1 of %2 GiB").arg(gib(*gpu.memory_used), gib(*gpu.memory_total));
  if (gpu.power_watts && gpu.power_limit_watts)
    words << SystemPanel::tr("%1 of %2 W").arg(*gpu.power_watts, 0, 'f', 0).arg(*gpu.power_limit_watts, 0, 'f', 0);
  else if (gpu.power_watts)
    words << SystemPanel::tr("%1 W").arg(*gpu.power_watts, 0, 'f', 0);
  if (gpu.temperature_celsius) words << SystemPanel::tr("%1 °C").arg(*gpu.temperature_celsius, 0, 'f', 0);
  return words.isEmpty() ? SystemPanel::tr("says nothing") : words.join(QStringLiteral(" · "));
}

/// A line of a chart from the readings of the last minutes.
template <class Value>
SystemCharts::Line lineOf(const QString& name, const std::deque<base::SystemReading>& history, Value value) {
  SystemCharts::Line line{name, {}, {}};
  const double now = history.back().unix_seconds;
  for (const auto& reading : history) {
    line.minutes << (reading.unix_seconds - now) / 60;
    line.values << value(reading);
  }
  return line;
}

double orNothing(const std::optional<double>& value, double factor) { return value ? factor * *value : kNothing; }

QString partTitle(const std::string& name) {
  if (name == "data") return SystemPanel::tr("data");
  if (name == "forward") return SystemPanel::tr("forward");
  if (name == "backward") return SystemPanel::tr("backward");
  if (name == "reduce") return SystemPanel::tr("all-reduce");
  if (name == "optimizer") return SystemPanel::tr("optimiser");
  return QString::fromStdString(name);
}

}  // namespace

std::vector<base::Scalar> timeSplit(const base::MetricsStore& metrics, const std::string& stage) {
  std::vector<base::Scalar> parts;
  for (const auto& name : metrics.seriesNames(stage)) {
    if (!name.starts_with(kTimePrefix)) continue;
    const auto* series = metrics.series(stage, name);
    if (series && !series->empty())
      parts.push_back({name.substr(std::string(kTimePrefix).size()), series->y(series->size() - 1)});
  }
  // In the order of a step; what is not known comes last.
  const auto place = [](const base::Scalar& part) {
    constexpr std::array<std::string_view, 5> kOrder = {"data", "forward", "backward", "reduce", "optimizer"};
    return std::find(kOrder.begin(), kOrder.end(), part.name) - kOrder.begin();
  };
  std::stable_sort(parts.begin(), parts.end(),
                   [&](const base::Scalar& a, const base::Scalar& b) { return place(a) < place(b); });
  return parts;
}

SystemPanel::SystemPanel(const Theme& theme, SystemMonitor& monitor, QWidget* parent)
    : QWidget(parent),
      theme_(theme),
      monitor_(&monitor),
      grid_(new QGridLayout),
      split_label_(new QLabel),
      split_(new TimeSplitBar(theme)),
      charts_(new SystemCharts(theme)) {
  setAccessibleName(tr("System"));
  grid_->setHorizontalSpacing(12);
  grid_->setVerticalSpacing(2);
  grid_->setColumnStretch(1, 1);
  split_label_->setProperty("muted", true);
  split_label_->setWordWrap(true);
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(8, 6, 8, 4);
  layout->setSpacing(5);
  layout->addLayout(grid_);
  layout->addWidget(split_label_);
  layout->addWidget(split_);
  layout->addWidget(charts_, 1);
  connect(&monitor, &SystemMonitor::changed, this, &SystemPanel::onLook);
  present();
}

void SystemPanel::setSource(RunSource* source) {
  if (source_) source_->disconnect(this);
  source_ = source;
  rate_.clear();
  if (monitor_) monitor_->setFolder(source ? source->folder() : QString());
  if (source_)
    connect(source_, &RunSource::changed, this, [this](StoreKind kind) {
      if (kind == StoreKind::kMetrics) presentSplit();
    });
  present();
}

void SystemPanel::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  watchMonitor();
  present();
}

void SystemPanel::hideEvent(QHideEvent* event) {
  QWidget::hideEvent(event);
  watchMonitor();
}

void SystemPanel::setAttended(bool is_attended) {
  is_attended_ = is_attended;
  watchMonitor();
}

void SystemPanel::watchMonitor() {
  if (monitor_) monitor_->setWatched(isVisible() && is_attended_);
}

void SystemPanel::onLook() {
  double rate = kNothing;
  if (source_ && source_->summary().state == base::RunState::kRunning && (source_->isLive() || source_->isWorkedOn())) {
    const auto& run = source_->summary();
    if (run.current_stage >= 0) {
      const double seconds = run.stages[static_cast<std::size_t>(run.current_stage)].seconds_per_step;
      if (seconds > 0) rate = 1 / seconds;
    }
  }
  const double now = monitor_->history().back().unix_seconds;
  rate_.emplace_back(now, rate);
  while (rate_.size() > 2 && rate_.front().first < now - SystemMonitor::kKeptSeconds) rate_.pop_front();
  if (isVisible()) present();
}

void SystemPanel::setFigure(std::size_t row, const QString& name, const QString& value, const QString& tip,
                            bool is_alarming) {
  while (figures_.size() <= row) {
    Figure figure{new QLabel, new QLabel};
    figure.name->setProperty("muted", true);
    figure.name->setAlignment(Qt::AlignLeft | Qt::AlignTop);
    figure.value->setWordWrap(true);
    figure.value->setTextInteractionFlags(Qt::TextSelectableByMouse);
    const int at = static_cast<int>(figures_.size());
    grid_->addWidget(figure.name, at, 0);
    grid_->addWidget(figure.value, at, 1);
    figures_.push_back(figure);
  }
  auto& figure = figures_[row];
  figure.name->setText(name);
  figure.value->setText(value);
  figure.name->setToolTip(tip);
  figure.value->setToolTip(tip);
  figure.name->show();
  figure.value->show();
  if (figure.value->property("bad").toBool() == is_alarming) return;
  figure.value->setProperty("bad", is_alarming);
  figure.value->style()->unpolish(figure.value);
  figure.value->style()->polish(figure.value);
}

QStringList SystemPanel::figures() const {
  QStringList lines;
  for (std::size_t i = 0; i < num_figures_; ++i)
    lines << figures_[i].name->text() + QStringLiteral(": ") + figures_[i].value->text();
  return lines;
}

void SystemPanel::present() {
  if (!monitor_) return;
  const auto& history = monitor_->history();
  std::size_t row = 0;
  if (history.empty()) {
    setFigure(row++, tr("Machine"), tr("looking…"), {});
    charts_->hide();
  } else {
    const auto& now = history.back();
    QString machine = now.machine_cpu ? tr("%1 of %2 cores busy").arg(percent(*now.machine_cpu)).arg(now.num_cores)
                                      : tr("%1 cores").arg(now.num_cores);
    if (now.memory_total && now.memory_available)
      machine += tr(" · %1 of %2 GiB memory in use")
                     .arg(gib(*now.memory_total - *now.memory_available), gib(*now.memory_total));
    setFigure(row++, tr("Machine"), machine, tr("All programs together, since the look before"));
    QStringList process;
    if (now.process_cpu) process << tr("%1 cores").arg(*now.process_cpu, 0, 'f', 2);
    if (now.process_memory) process << tr("%1 GiB memory").arg(gib(*now.process_memory));
    const bool trains_here = source_ && source_->isLive();
    setFigure(row++, trains_here ? tr("Window and training") : tr("This window"),
              process.isEmpty() ? tr("not known") : process.join(QStringLiteral(" · ")),
              trains_here ? tr("The run on show is trained by this program")
                          : tr("No run is trained by this program; one that another process trains is counted there"));
    if (!source_)
      setFigure(row++, tr("Disk"), tr("open a run to see the disk it lies on"), {});
    else if (now.disk_free && now.disk_total)
      setFigure(row++, tr("Disk"), tr("%1 of %2 GiB free").arg(gib(*now.disk_free), gib(*now.disk_total)),
                tr("Of the file system that %1 lies on; a full one stops a run at its next checkpoint")
                    .arg(source_->folder()),
                *now.disk_free < kLittleDisk);
    else
      setFigure(row++, tr("Disk"),
                QFileInfo::exists(source_->folder()) ? tr("not known") : tr("the run folder is gone"), {});
    if (now.gpus.empty()) {
      setFigure(row++, tr("GPU"), monitor_->gpuProblem().isEmpty() ? tr("none") : monitor_->gpuProblem(),
                tr("Figures of GPUs come from NVML, a library of the NVIDIA driver"));
    } else {
      for (std::size_t i = 0; i < now.gpus.size(); ++i)
        setFigure(row++, now.gpus.size() == 1 ? tr("GPU") : tr("GPU %1").arg(i), gpuText(now.gpus[i]),
                  QString::fromStdString(now.gpus[i].name));
    }
    const double rate = rate_.empty() ? kNothing : rate_.back().second;
    setFigure(row++, tr("Steps"),
              !source_           ? tr("no run is open")
              : std::isnan(rate) ? tr("the run on show is not stepping now")
                                 : tr("%1 steps/s, %2 ms a step").arg(formatNumber(rate), formatNumber(1000 / rate)),
              tr("As the run itself reports it"));
    charts_->setVisible(history.size() > 1);
  }
  num_figures_ = row;
  for (std::size_t i = row; i < figures_.size(); ++i) {
    figures_[i].name->hide();
    figures_[i].value->hide();
  }
  presentSplit();
  if (history.size() < 2) return;
  const auto& now = history.back();
  std::vector<SystemCharts::Chart> charts;
  charts.push_back({tr("CPU, %"),
                    100,
                    {lineOf(tr("machine"), history, [](const auto& r) { return orNothing(r.machine_cpu, 100); }),
                     lineOf(tr("this program"), history, [](const auto& r) {
                       return orNothing(r.process_cpu, 100.0 / std::max(1, r.num_cores));
                     })}});
  const auto memory = [](const std::optional<std::int64_t>& bytes) {
    return bytes ? static_cast<double>(*bytes) / kGib : kNothing;
  };
  charts.push_back({tr("Memory, GiB"),
                    now.memory_total ? memory(now.memory_total) : 0,
                    {lineOf(tr("machine"), history,
                            [&](const auto& r) { return memory(r.memory_total) - memory(r.memory_available); }),
                     lineOf(tr("this program"), history, [&](const auto& r) { return memory(r.process_memory); })}});
  if (!now.gpus.empty()) {
    SystemCharts::Chart busy{tr("GPU, %"), 100, {}};
    for (std::size_t i = 0; i < now.gpus.size(); ++i) {
      const auto of = [i](auto member, double factor) {
        return [i, member, factor](const base::SystemReading& r) {
          return i < r.gpus.size() ? orNothing(r.gpus[i].*member, factor) : kNothing;
        };
      };
      const QString name = now.gpus.size() == 1 ? tr("busy") : tr("GPU %1").arg(i);
      busy.lines.push_back(lineOf(name, history, of(&base::GpuReading::utilisation, 100)));
      if (now.gpus.size() == 1)
        busy.lines.push_back(lineOf(tr("memory"), history, [](const base::SystemReading& r) {
          return r.gpus.empty() || !r.gpus[0].memory_used || !r.gpus[0].memory_total
                     ? kNothing
                     : 100 * static_cast<double>(*r.gpus[0].memory_used) / static_cast<double>(*r.gpus[0].memory_total);
        }));
    }
    charts.push_back(std::move(busy));
  }
  const bool has_rate =
      std::any_of(rate_.begin(), rate_.end(), [](const auto& point) { return !std::isnan(point.second); });
  if (has_rate) {
    SystemCharts::Line line{tr("steps"), {}, {}};
    for (const auto& [seconds, rate] : rate_) {
      line.minutes << (seconds - now.unix_seconds) / 60;
      line.values << rate;
    }
    charts.push_back({tr("Steps/s"), 0, {line}});
  }
  charts_->present(charts);
}

void SystemPanel::presentSplit() {
  const bool has_run = source_ && source_->summary().current_stage >= 0;
  std::string stage;
  std::vector<base::Scalar> parts;
  // A stage without steps of its own, such as the report, leaves that of the stage before on show.
  for (int i = has_run ? source_->summary().current_stage : -1; i >= 0 && parts.empty(); --i) {
    stage = source_->summary().stages[static_cast<std::size_t>(i)].name;
    parts = timeSplit(source_->metrics(), stage);
  }
  double total = 0;
  for (const auto& part : parts) total += part.value;
  split_->setVisible(total > 0);
  split_label_->setVisible(has_run);
  if (!has_run) return;
  if (!(total > 0)) {
    split_label_->setText(tr("The run does not say what the time of its steps goes into."));
    return;
  }
  split_label_->setText(tr("A step of %1 takes %2 ms:").arg(stageTitle(stage), formatNumber(1000 * total)));
  std::vector<TimeSplitBar::Part> shares;
  for (const auto& part : parts) shares.push_back({partTitle(part.name), part.value / total});
  split_->present(std::move(shares));
}

}  // namespace meanflow::ui
