// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/bench/bench_room.h"

#include <QAbstractEventDispatcher>
#include <QCoreApplication>
#include <QElapsedTimer>
#include <QEventLoop>
#include <QFile>
#include <QTimer>
#include <algorithm>
#include <ctime>
#include <utility>

namespace meanflow::ui {

double FrameTimes::quantile(double q) const {
  if (ms.empty()) return 0;
  auto sorted = ms;
  std::sort(sorted.begin(), sorted.end());
  return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1))];
}

QJsonObject FrameTimes::toJson(const QString& bench, const QString& what_is_counted) const {
  return {{QStringLiteral("bench"), bench},
          {what_is_counted, static_cast<double>(ms.size())},
          {QStringLiteral("p50_ms"), quantile(0.5)},
          {QStringLiteral("p99_ms"), quantile(0.99)},
          {QStringLiteral("max_ms"), quantile(1)}};
}

double threadCpuMs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e6;
}

double residentMib() {
  QFile status(QStringLiteral("/proc/self/status"));
  if (!status.open(QIODevice::ReadOnly)) return 0;
  for (const auto& line : status.readAll().split('\n')) {
    if (line.startsWith("VmRSS:")) return line.mid(6).simplified().split(' ').front().toDouble() / 1024;
  }
  return 0;
}

bool spinUntil(const std::function<bool()>& is_done, double max_seconds, int wake_ms) {
  QElapsedTimer clock;
  clock.start();
  QTimer wake;  // the condition may come true without an event
  wake.start(wake_ms);
  while (!is_done()) {
    if (static_cast<double>(clock.elapsed()) > 1e3 * max_seconds) return false;
    QCoreApplication::processEvents(QEventLoop::WaitForMoreEvents);
  }
  return true;
}

BenchRoom::BenchRoom() : settings_(dir_.filePath(QStringLiteral("settings.ini")), QSettings::IniFormat) {
  for (const char* name : {"XDG_STATE_HOME", "XDG_DATA_HOME"})
    qputenv(name, dir_.filePath(QString::fromLatin1(name).toLower()).toLocal8Bit());
}

BusyMeter::BusyMeter(QObject* parent) : QObject(parent) {
  // Qt's dispatcher on GLib says so after every turn of the loop that may have waited.
  connect(QAbstractEventDispatcher::instance(), &QAbstractEventDispatcher::awake, this, [this] {
    const double now = threadCpuMs();
    const double ms = now - std::exchange(cpu_ms_, now);
    busy_ms_ += ms;
    if (ms > 1) frames_.ms.push_back(ms);
  });
}

void BusyMeter::restart() {
  cpu_ms_ = threadCpuMs();
  frames_.ms.clear();
  busy_ms_ = 0;
}

}  // namespace meanflow::ui
