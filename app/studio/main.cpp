// SPDX-License-Identifier: GPL-3.0-or-later
//
// The studio: shows its window first, then opens the training library, the only file here that is not light.
#include <dlfcn.h>

#include <CLI/CLI.hpp>
#include <QApplication>
#include <QDir>
#include <QFileInfo>
#include <QSettings>
#include <QTimer>
#include <cstdio>
#include <iostream>
#include <optional>
#include <string>

#include "app/studio/run_bench.h"
#include "core/base/run/demo_run.h"
#include "core/base/run/training_host.h"
#include "ui/main_window.h"
#include "ui/theme/theme.h"

namespace {

using meanflow::base::CreateTrainingHost;
using meanflow::base::TrainingHost;
using meanflow::ui::MainWindow;
using meanflow::ui::ThemeChoice;

struct Arguments {
  std::string run, out, theme, screenshot;
  bool is_demo = false;
  bool is_quick = false;
  bool has_control = false;
  std::string device;
  std::optional<std::int64_t> seed;
  double after_seconds = 3;
  meanflow::app::BenchOrder bench;
  bool is_first_frame = false;
};

QString tr(const char* text) { return QCoreApplication::translate("main", text); }

/// Opens libstudio_training_host.so beside the program. The library stays open: its threads and statics outlive any
/// host.
TrainingHost* openTrainingHost(const QString& program_folder, QString* error) {
  const QString name = QStringLiteral("libstudio_training_host.so");
  QString path;
  for (const char* place : {"/../lib/", "/../lib/meanflow-studio/", "/"}) {
    const QString candidate = program_folder + QLatin1String(place) + name;
    if (QFileInfo::exists(candidate)) {
      path = QDir::cleanPath(candidate);
      break;
    }
  }
  if (path.isEmpty()) {
    *error = tr("Training is not to be had: %1 is missing beside the program. Runs can be looked at all the same.")
                 .arg(name);
    return nullptr;
  }
  void* library = dlopen(path.toLocal8Bit().constData(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    *error = tr("The training library could not be opened: %1").arg(QString::fromLocal8Bit(dlerror()));
    return nullptr;
  }
  auto* create = reinterpret_cast<CreateTrainingHost>(dlsym(library, meanflow::base::kCreateTrainingHostSymbol));
  if (!create) {
    *error = tr("%1 is not a training library of this version.").arg(path);
    return nullptr;
  }
  try {
    auto* host = create();
    if (!host) *error = tr("The training library opened but gave no host; see the log.");
    return host;
  } catch (const std::exception& failure) {
    *error = tr("The training library could not start: %1").arg(QString::fromUtf8(failure.what()));
    return nullptr;
  }
}

void takeScreenshotLater(MainWindow& window, const Arguments& arguments) {
  QTimer::singleShot(static_cast<int>(1000 * arguments.after_seconds), &window, [&window, path = arguments.screenshot] {
    const bool is_saved = window.grab().save(QString::fromStdString(path));
    if (!is_saved) std::cerr << path << ": the screenshot could not be written\n";
    window.closeQuietly();
    if (!is_saved) QCoreApplication::exit(1);
  });
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  CLI::App parser("See MeanFlow training, and act on it.", "meanflow-studio");
  parser.add_option("RUN", arguments.run, "Run folder to open");
  parser.add_flag("--demo", arguments.is_demo, "Train the demo pipeline in the window");
  parser.add_option("--out", arguments.out, "Run folder of the demo");
  parser.add_option("--seed", arguments.seed, "Seed of the demo")->check(CLI::NonNegativeNumber);
  parser.add_flag("--quick", arguments.is_quick, "A demo of under 90 seconds, for trying things out");
  parser.add_flag("--control", arguments.has_control, "Also spend MFD's compute on more CMT in the demo, to compare");
  parser.add_option("--device", arguments.device, "Device of the demo: auto, cpu, cuda or cuda:N");
  parser.add_option("--theme", arguments.theme, "Colours: light or dark (otherwise as chosen in the window)")
      ->check(CLI::IsMember({"light", "dark"}));
  parser.add_option("--screenshot", arguments.screenshot, "Write a picture of the window to FILE, then close");
  parser.add_option("--after", arguments.after_seconds, "Seconds to wait before the screenshot")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  meanflow::app::addBenchOptions(parser, arguments.bench);
  parser.add_flag("--first-frame", arguments.is_first_frame, "")->group("");  // for --bench startup
  parser.set_version_flag("--version", std::string("meanflow-studio ") + STUDIO_VERSION);

  QApplication app(argc, argv);  // takes Qt's own options out of argv first
  try {
    parser.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return parser.exit(error) == 0 ? 0 : 2;
  }
  QApplication::setApplicationName(QStringLiteral("meanflow-studio"));
  QApplication::setApplicationVersion(QStringLiteral(STUDIO_VERSION));
  QApplication::setDesktopFileName(QStringLiteral("io.github.meanflow_studio.MeanFlowStudio"));
  QApplication::setWindowIcon(meanflow::ui::Theme::applicationIcon());

  meanflow::ui::Theme theme(app);
  QSettings settings(QStringLiteral("meanflow-studio"), QStringLiteral("studio"));
  const int stored = settings.value(QStringLiteral("theme"), 0).toInt();
  theme.setChoice(arguments.theme == "light"  ? ThemeChoice::kLight
                  : arguments.theme == "dark" ? ThemeChoice::kDark
                                              : static_cast<ThemeChoice>(std::clamp(stored, 0, 2)));

  const QString program_folder = QCoreApplication::applicationDirPath();
  const meanflow::ui::TrainingHostFactory factory = [program_folder](QString* error) {
    return openTrainingHost(program_folder, error);
  };
  if (!arguments.bench.name.empty())
    return meanflow::app::runBench(theme, factory, arguments.bench, QString::fromStdString(arguments.run));

  MainWindow window(theme, settings, factory);
  std::optional<meanflow::app::FirstFrame> first_frame;
  if (arguments.is_first_frame) first_frame.emplace(window);
  meanflow::ui::DemoOptions demo;
  if (!arguments.out.empty()) demo.out_folder = QFileInfo(QString::fromStdString(arguments.out)).absoluteFilePath();
  if (arguments.is_quick) demo.config = QStringLiteral("demo-quick");
  if (arguments.seed) demo.overrides << QStringLiteral("seed=%1").arg(*arguments.seed);
  if (arguments.has_control)
    demo.overrides << QStringLiteral("stages=[encoder, decoder, teacher, cmt, mean_flow, control, report]");
  if (!arguments.device.empty())
    demo.overrides << QStringLiteral("device=%1").arg(QString::fromStdString(arguments.device));
  if (arguments.is_demo && arguments.out.empty()) {
    // Where `meanflow demo` keeps it, so that an interrupted demo goes on in either; a finished one is left alone.
    const auto request =
        meanflow::base::demoRequest({"", arguments.seed.value_or(0), arguments.is_quick, arguments.has_control});
    const QString folder = QString::fromStdString(request.run_folder);
    if (!QFileInfo::exists(folder + QStringLiteral("/report/report.json"))) demo.out_folder = folder;
  }
  window.setDemoOptions(demo);
  window.show();
  if (arguments.is_first_frame) return QApplication::exec();
  QTimer::singleShot(0, &window, [&] {
    window.loadTrainingLibrary();
    if (!arguments.run.empty()) window.openFolder(QString::fromStdString(arguments.run));
    if (arguments.is_demo) window.startDemo();
    if (!arguments.screenshot.empty()) takeScreenshotLater(window, arguments);
  });
  return QApplication::exec();
}
