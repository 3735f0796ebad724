// SPDX-License-Identifier: Apache-2.0
#include "core/base/console/progress_bar.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "core/base/logging.h"
#include "core/base/overloaded.h"

namespace meanflow::base {
namespace {

std::string rate(double seconds_per_step) {
  if (!(seconds_per_step > 0)) return "? it/s";
  return seconds_per_step < 1 ? fmt::format("{:.1f} it/s", 1 / seconds_per_step)
                              : fmt::format("{:.1f} s/it", seconds_per_step);
}

std::string lossText(const StepCompleted& event) {
  for (const auto& scalar : event.scalars)
    if (scalar.name == "loss") return fmt::format("loss {:.4g}", scalar.value);
  return {};
}

}  // namespace

std::string formatDuration(double seconds) {
  if (!(seconds >= 0) || !std::isfinite(seconds)) return "?";
  const auto whole = static_cast<std::int64_t>(std::llround(std::min(seconds, 1e15)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

ProgressBarOptions progressBarOptionsForStderr() {
  ProgressBarOptions options;
  options.is_terminal = ::isatty(STDERR_FILENO) != 0;
  options.is_coloured = isColourWanted();
  winsize size{};
  if (options.is_terminal && ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20)
    options.width = std::min<int>(size.ws_col - 1, 120);
  return options;
}

ProgressBar::~ProgressBar() {
  if (is_bar_open_) std::fputc('\n', out_);
}

void ProgressBar::printLine(const std::string& text) {
  if (is_bar_open_) std::fputs("\r\033[K", out_);
  is_bar_open_ = false;
  std::fputs((text + "\n").c_str(), out_);
  std::fflush(out_);
}

void ProgressBar::showStep(const StepCompleted& event, double now) {
  const bool is_last = event.step == total_steps_;
  const double interval = options_.is_terminal ? options_.seconds_per_redraw : options_.seconds_per_line;
  if (now - last_shown_ < interval && !is_last) return;
  last_shown_ = now;
  const std::string numbers =
      fmt::format("{}/{}  {}  {}  {} left", event.step, total_steps_, lossText(event), rate(event.seconds_per_step),
                  formatDuration(is_last ? 0 : event.eta_seconds));
  if (!options_.is_terminal) return printLine(fmt::format("{}: {}", event.stage, numbers));
  const int room = options_.width - static_cast<int>(event.stage.size() + numbers.size()) - 6;
  std::string bar;
  if (room >= 5 && total_steps_ > 0) {
    const double share = std::clamp(static_cast<double>(event.step) / static_cast<double>(total_steps_), 0.0, 1.0);
    const auto num_full = static_cast<std::size_t>(std::lround(share * room));
    const std::string full(num_full, '#'), rest(static_cast<std::size_t>(room) - num_full, '.');
    bar =
        options_.is_coloured ? fmt::format("[\033[32m{}\033[0m{}]  ", full, rest) : fmt::format("[{}{}]  ", full, rest);
  }
  std::fputs(fmt::format("\r\033[K{}  {}{}", event.stage, bar, numbers).c_str(), out_);
  std::fflush(out_);
  is_bar_open_ = true;
}

void ProgressBar::showProgress(const Progress& event, double now) {
  const bool is_last = event.done >= event.total;
  const double interval = options_.is_terminal ? options_.seconds_per_redraw : options_.seconds_per_line;
  if (is_last || now - last_shown_ < interval) return;
  last_shown_ = now;
  const std::string text = fmt::format("{}: {:.0f} of {:.0f}", event.what, event.done, event.total);
  if (!options_.is_terminal) return printLine(text);
  std::fputs(("\r\033[K" + text).c_str(), out_);
  std::fflush(out_);
  is_bar_open_ = true;
}

void ProgressBar::publish(const EventRecord& record) {
  std::visit(Overloaded{[&](const StageStarted& e) {
                          stage_ = e.stage, total_steps_ = e.total_steps, last_shown_ = -1e300;
                          if (e.num_parameters == 0) return printLine(e.stage + ": started");
                          printLine(fmt::format("{}: {} steps, {:.2f} M parameters{}", e.stage, e.total_steps,
                                                static_cast<double>(e.num_parameters) / 1e6,
                                                e.step > 0 ? fmt::format(", continuing at step {}", e.step) : ""));
                        },
                        [&](const StepCompleted& e) { showStep(e, record.unix_seconds); },
                        [&](const MetricsReady& e) {
                          // A report's dozens of figures follow as a table; a line is for a handful.
                          if (e.metrics.size() > 8)
                            return printLine(fmt::format("{}: {} figures", e.stage, e.metrics.size()));
                          std::string text;
                          for (const auto& metric : e.metrics)
                            text += fmt::format("  {} {:.4g}", metric.name, metric.value);
                          printLine(fmt::format("{} step {}:{}", e.stage, e.step, text));
                        },
                        [&](const Progress& e) { showProgress(e, record.unix_seconds); },
                        [&](const StageFinished& e) {
                          printLine(fmt::format("{}: done in {} ({} of CPU time)", e.stage,
                                                formatDuration(e.wall_seconds), formatDuration(e.cpu_seconds)));
                        },
                        [&](const RunFailed& e) {
                          printLine(fmt::format("failed at {} step {}: {}", e.stage, e.step, e.what));
                        },
                        [&](const RunFinished& e) { printLine(e.outcome); }, [](const auto&) {}},
             record.event);
}

}  // namespace meanflow::base
