// SPDX-License-Identifier: GPL-3.0-or-later
#include <QElapsedTimer>
#include <QProcess>
#include <QProcessEnvironment>
#include <QTemporaryDir>
#include <ctime>

#include "ui/bench/bench.h"

namespace meanflow::ui {
namespace {

constexpr int kNumStarts = 9;

double monotonicMs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e6;
}

}  // namespace

QJsonObject benchStartup(const QString& program) {
  FrameTimes times;
  QTemporaryDir home;  // every start is that of a person who has never used the studio
  auto environment = QProcessEnvironment::systemEnvironment();
  for (const char* name : {"XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"})
    environment.insert(QString::fromLatin1(name), home.filePath(QString::fromLatin1(name).toLower()));
  for (int k = 0; k < kNumStarts; ++k) {
    QProcess child;
    child.setProcessEnvironment(environment);
    child.setProcessChannelMode(QProcess::SeparateChannels);
    const double begin = monotonicMs();
    child.start(program, {QStringLiteral("--first-frame")});
    if (!child.waitForFinished(20'000) || child.exitCode() != 0) {
      child.kill();
      child.waitForFinished();
      return {{QStringLiteral("bench"), QStringLiteral("startup")},
              {QStringLiteral("error"),
               QStringLiteral("%1 --first-frame gave no frame: %2 %3")
                   .arg(program, child.errorString(), QString::fromUtf8(child.readAllStandardError().right(400)))}};
    }
    bool is_number = false;
    const double frame = child.readAllStandardOutput().trimmed().toDouble(&is_number);
    if (is_number) times.ms.push_back(frame - begin);
  }
  auto json = times.toJson(QStringLiteral("startup"), QStringLiteral("starts"));
  json[QStringLiteral("first_ms")] = times.ms.empty() ? 0 : times.ms.front();
  return json;
}

}  // namespace meanflow::ui
