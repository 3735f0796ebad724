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

/// Figures by time of a stage with intervals: the error falls with the steps and rises with t, du/dt with t - r. No
/// sample is in the last bin of t.
inline std::vector<base::EventRecord> madeUpTimeFigures(const std::string& stage, std::int64_t last,
                                                        std::int64_t every) {
  constexpr int kBins = 10;
  const auto nan = std::nanf("");
  std::vector<base::EventRecord> records;
  for (std::int64_t step = every; step <= last; step += every) {
    const double share = static_cast<double>(step) / static_cast<double>(last);
    base::TimeFiguresReady event{.stage = stage, .step = step};
    for (int b = 0; b <= kBins; ++b) event.t_edges.push_back(static_cast<float>(b) / kBins);
    event.gap_edges = {0, 0};  // the first bin is t = r alone
    for (int b = 1; b < kBins; ++b) event.gap_edges.push_back(static_cast<float>(b) / (kBins - 1));
    event.by_t = {{"count", {}}, {"loss", {}}, {"target", {}}, {"du_dt", {}}, {"teacher", {}}};
    event.by_gap = event.by_t;
    for (int b = 0; b < kBins; ++b) {
      const double t = (b + 0.5) / kBins;
      const bool is_empty = b + 1 == kBins;
      const double values[] = {is_empty ? 0.0 : 51.0, (0.02 + 0.3 * std::exp(-3 * share)) * (0.3 + t * t),
                               1.1 - 0.3 * t, 0.4 + 2 * t * t, 0.9 + 0.1 * t};
      for (std::size_t f = 0; f < 5; ++f)
        event.by_t[f].values.push_back(f > 0 && is_empty ? nan : static_cast<float>(values[f]));
      const double by_gap[] = {51, (0.03 + 0.2 * std::exp(-3 * share)) * (0.4 + 2 * t), 1 + 0.4 * t, 0.2 + 3 * t, 0.95};
      for (std::size_t f = 0; f < 5; ++f) event.by_gap[f].values.push_back(static_cast<float>(by_gap[f]));
    }
    records.push_back({3'000'000 + step, 1.76e9, std::move(event)});
  }
  return records;
}

/// A finite difference in bfloat16 whose step is much too small: the error of rounding falls as 1 / delta_t, that of
/// truncation rises as its square; the two meet near 0.04.
inline base::DerivativeHealthReady madeUpDerivative(const std::string& stage, std::int64_t step, double delta_t) {
  base::DerivativeHealthReady event{.stage = stage, .step = step, .delta_t = delta_t};
  event.precision = "bf16";
  double least = 1e9;
  for (int i = 0; i <= 12; ++i) {
    const double delta = 1e-4 * std::pow(10, i / 4.0);
    const double truncation = 8 * delta * delta, rounding = 9e-4 / delta;
    event.deltas.push_back(static_cast<float>(delta));
    event.errors.push_back(static_cast<float>(truncation + rounding));
    event.errors_fp64.push_back(static_cast<float>(truncation));
    if (truncation + rounding < least) least = truncation + rounding, event.suggested_delta_t = delta;
  }
  event.verdict = delta_t < 0.5 * event.suggested_delta_t ? "rounding"
                  : delta_t > 2 * event.suggested_delta_t ? "truncation"
                                                          : "healthy";
  return event;
}

/// A spike that was warned of, a step that was skipped with its diagnosis, and an explosion that stopped the run.
inline std::vector<base::EventRecord> madeUpAlarms(const std::string& stage) {
  base::AlarmRaised spike{.stage = stage, .step = 60, .kind = "spike", .figure = "grad_norm", .value = 9.5};
  spike.typical = 0.8, spike.threshold = 6, spike.action = "warn";
  spike.text = "The gradient norm is 12 times its median; a warm-up or a lower clip_grad calms it.";
  base::AlarmRaised skip{.stage = stage, .step = 120, .kind = "non_finite", .figure = "loss", .value = std::nan("")};
  skip.typical = 0.31, skip.threshold = std::nan(""), skip.action = "skip";
  skip.origin = {.step = 120, .tensor = "latents", .rank = 1};
  skip.text = "The loss is not finite; the update was not applied.";
  base::DiagnosisReady found{.stage = stage, .step = 120, .kind = "non_finite"};
  found.origin = {.step = 120, .tensor = "latents", .block = "", .operation = "data", .sample = 4711, .rank = 1};
  found.text = "Sample 4711 of the training set holds 3 values that are not finite; the network's weights are sound.";
  found.report = stage + "/diagnostics/step_00000120";
  base::AlarmRaised stop{.stage = stage, .step = 180, .kind = "explosion", .figure = "grad_norm", .value = 8.1e5};
  stop.typical = 0.9, stop.threshold = 900, stop.action = "stop";
  stop.origin = {
      .step = 179, .tensor = "blocks.2.attn.qkv.weight", .block = "blocks.2", .operation = "backward of aten::mm"};
  stop.text =
      "At step 180 of mean_flow the gradient norm is 8.1e+05, usually 0.9; the weights are still those of step 179.";
  std::vector<base::EventRecord> records;
  const auto say = [&](base::TrainingEvent event) {
    const auto n = static_cast<std::int64_t>(records.size());
    records.push_back({4'000'000 + n, 1.76e9 + 60.0 * static_cast<double>(n), std::move(event)});
  };
  say(spike), say(skip), say(found), say(stop);
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
