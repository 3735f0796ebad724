// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/studio/run_bench.h"

#include <CLI/CLI.hpp>
#include <QCoreApplication>
#include <QEvent>
#include <QJsonDocument>
#include <QTimer>
#include <QWidget>
#include <cstdio>
#include <ctime>
#include <iostream>

#include "ui/bench/bench.h"

namespace meanflow::app {

void addBenchOptions(CLI::App& parser, BenchOrder& order) {
  parser
      .add_option("--bench", order.name,
                  "Measure instead of opening the window: startup, flood, curves, open, grid (of RUN), idle")
      ->check(CLI::IsMember({"startup", "flood", "curves", "open", "grid", "idle"}));
  parser.add_option("--bench-points", order.num_points, "Points of the measured curve, events of the opened run")
      ->check(CLI::Range(std::int64_t{1000}, std::int64_t{100'000'000}))
      ->capture_default_str();
  parser.add_flag("--json", order.is_json, "Print the measurement as JSON");
}

int runBench(ui::Theme& theme, const ui::TrainingHostFactory& factory, const BenchOrder& order, const QString& run) {
  QJsonObject measured;
  if (order.name == "startup") measured = ui::benchStartup(QCoreApplication::applicationFilePath());
  if (order.name == "flood") measured = ui::benchFlood(theme);
  if (order.name == "curves") measured = ui::benchCurves(theme, order.num_points);
  if (order.name == "open") measured = ui::benchOpen(theme, order.num_points);
  if (order.name == "grid") measured = ui::benchGrid(factory, run);
  if (order.name == "idle") measured = ui::benchIdle(theme, factory);
  if (order.is_json) {
    std::cout << QJsonDocument(measured).toJson(QJsonDocument::Compact).toStdString() << "\n";
  } else {
    for (auto it = measured.begin(); it != measured.end(); ++it)
      std::cout << it.key().toStdString() << " " << it.value().toVariant().toString().toStdString() << "\n";
  }
  return measured.contains(QStringLiteral("error")) ? 1 : 0;
}

FirstFrame::FirstFrame(QWidget& window) { window.installEventFilter(this); }

bool FirstFrame::eventFilter(QObject* watched, QEvent* event) {
  // The window's own paint event is the last before the frame goes to the screen, in the same turn of the event loop.
  if (event->type() == QEvent::Paint && !is_drawn_) {
    is_drawn_ = true;
    QTimer::singleShot(0, watched, [] {
      timespec now{};
      clock_gettime(CLOCK_MONOTONIC, &now);
      std::printf("%.3f\n", 1e3 * static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e6);
      std::fflush(stdout);
      QCoreApplication::quit();
    });
  }
  return QObject::eventFilter(watched, event);
}

}  // namespace meanflow::app
