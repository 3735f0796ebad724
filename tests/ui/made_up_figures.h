// SPDX-License-Identifier: Apache-2.0
//
// Figures of blocks, residuals and scores of classes that nobody measured, plausible enough to look at.
#pragma once
#include <QDir>
#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>
#include <QString>
#include <QTest>
#include <QWidget>
#include <cmath>
#include <string>
#include <vector>

#include "core/base/events/training_event.h"
#include "ui/theme/theme.h"

namespace meanflow::testing {

/// Blocks that calm down over the steps; from `breaks_at` on the last but one explodes and then is not finite.
inline std::vector<base::EventRecord> madeUpBlocks(const std::string& stage, std::int64_t last, std::int64_t every,
                                                   int num_blocks, std::int64_t breaks_at = -1) {
  std::vector<base::EventRecord> records;
  for (std::int64_t step = every; step <= last; step += every) {
    base::BlockFiguresReady event{.stage = stage, .step = step};
    event.blocks.push_back("x_embedder");
    for (int b = 0; b < num_blocks - 2; ++b) event.blocks.push_back("blocks." + std::to_string(b));
    event.blocks.push_back("final_layer");
    event.figures = {{"grad_norm", {}}, {"update_norm", {}}, {"param_norm", {}}};
    const double share = static_cast<double>(step) / static_cast<double>(last);
    for (int b = 0; b < num_blocks; ++b) {
      double norm = (0.02 + 0.5 * std::exp(-4 * share)) * std::exp(-0.25 * b) * (1.2 + std::sin(0.9 * b + 25 * share));
      if (breaks_at >= 0 && step >= breaks_at && b == num_blocks - 2)
        norm = step > breaks_at + 6 * every ? std::nan("") : norm * std::exp(0.8 * double(step - breaks_at) / every);
      event.figures[0].values.push_back(static_cast<float>(norm));
      event.figures[1].values.push_back(static_cast<float>(3e-3 * (1.2 - share) * (1 + 0.1 * b)));
      event.figures[2].values.push_back(static_cast<float>(4 + b + 3 * share));
    }
    records.push_back({1'000'000 + step, 1.76e9, std::move(event)});
  }
  return records;
}

/// Residuals of a stage in which the variance rules at eta = 0 and the bias, falling, at eta = 1.
inline std::vector<base::EventRecord> madeUpResiduals(const std::string& stage, std::int64_t last, std::int64_t every,
                                                      double eta) {
  std::vector<base::EventRecord> records;
  for (std::int64_t step = every; step <= last; step += every) {
    const double share = static_cast<double>(step) / static_cast<double>(last);
    base::VelocityResidualsReady event{.stage = stage, .step = step, .eta = eta, .num_samples = 512};
    event.overall = {0.9 + 0.1 * share, 0.05 + 0.01 * share, 0.3 * std::exp(-2 * share) + 0.05, -0.004};
    constexpr int kBins = 8;
    for (int b = 0; b <= kBins; ++b) event.t_edges.push_back(static_cast<float>(b) / kBins);
    for (int b = 0; b < kBins; ++b) {
      const double t = (b + 0.5) / kBins;
      event.by_t.push_back(
          {1.6 * (1 - t) * (0.4 + t), 0.02 + 0.09 * t * t, event.overall.oracle_bias * (0.4 + 1.2 * t), -0.004});
    }
    records.push_back({2'000'000 + step, 1.76e9, std::move(event)});
  }
  return records;
}

/// Writes report/report.json with `num_samples` images a row; accuracy by class from `of(row, label)`.
template <class Of>
void writeMadeUpReport(const QString& folder, const std::vector<std::string>& names, int samples_a_class, Of of) {
  QJsonObject samples;
  for (const char* row : {"cmt_1", "student_1", "teacher_50_guided"}) {
    QJsonObject by_class;
    double accuracy = 0;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const double of_class = of(std::string(row), static_cast<int>(i));
      by_class[QString::fromStdString(names[i])] = of_class;
      accuracy += of_class / static_cast<double>(names.size());
    }
    samples[QLatin1String(row)] =
        QJsonObject{{QStringLiteral("num_samples"), samples_a_class * static_cast<int>(names.size())},
                    {QStringLiteral("accuracy"), accuracy},
                    {QStringLiteral("accuracy_by_class"), by_class}};
  }
  QDir().mkpath(folder + QStringLiteral("/report"));
  QFile file(folder + QStringLiteral("/report/report.json"));
  if (file.open(QIODevice::WriteOnly))
    file.write(QJsonDocument(QJsonObject{{QStringLiteral("samples"), samples}}).toJson());
}

/// Pictures for people in the build folder's screenshots/figures/, light and dark; `name` without an ending.
inline bool picturesInBothLooks(ui::Theme& theme, QWidget& widget, const QString& folder, const QString& name) {
  if (!QDir().mkpath(folder)) return false;
  bool is_saved = true;
  for (const auto choice : {ui::ThemeChoice::kLight, ui::ThemeChoice::kDark}) {
    theme.setChoice(choice);
    QTest::qWait(60);
    const QString look = choice == ui::ThemeChoice::kLight ? QStringLiteral("light") : QStringLiteral("dark");
    const QString scale = widget.devicePixelRatioF() > 1 ? QStringLiteral("@2x") : QString();
    is_saved = widget.grab().save(QStringLiteral("%1/%2_%3%4.png").arg(folder, name, look, scale)) && is_saved;
  }
  theme.setChoice(ui::ThemeChoice::kSystem);
  return is_saved;
}

}  // namespace meanflow::testing
