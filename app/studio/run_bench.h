// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <QString>
#include <cstdint>
#include <string>

#include "ui/main_window.h"

namespace CLI {
class App;
}

namespace meanflow::app {

/// What to measure, from the command line.
struct BenchOrder {
  std::string name;  ///< Empty: nothing, open the window.
  std::int64_t num_points = 10'000'000;
  bool is_json = false;
};

void addBenchOptions(CLI::App& parser, BenchOrder& order);

/// Measures and prints, as lines or as one JSON object. Exit code: 1 when it could not be measured.
int runBench(ui::Theme& theme, const ui::TrainingHostFactory& factory, const BenchOrder& order, const QString& run);

/// Prints the monotonic time in milliseconds once the window has drawn its first frame, then ends the program.
class FirstFrame final : public QObject {
 public:
  explicit FirstFrame(QWidget& window);

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  bool is_drawn_ = false;
};

}  // namespace meanflow::app
