// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/derivative_words.h"

#include <QCoreApplication>
#include <algorithm>
#include <cmath>
#include <limits>

#include "ui/theme/format.h"

namespace meanflow::ui {
namespace {

QString derivativeText(const char* text) { return QCoreApplication::translate("DerivativeWords", text); }

QString percentText(double share) { return QStringLiteral("%1 %").arg(100 * share, 0, 'g', 2); }

}  // namespace

double derivativeErrorAt(const base::DerivativeHealthReady& report, double delta_t) {
  const auto n = std::min(report.deltas.size(), report.errors.size());
  const auto at = [&](std::size_t i) { return std::log(static_cast<double>(report.deltas[i])); };
  const auto value = [&](std::size_t i) { return std::log(static_cast<double>(report.errors[i])); };
  if (!(delta_t > 0)) return std::numeric_limits<double>::quiet_NaN();
  const double x = std::log(delta_t);
  constexpr double kSame = 1e-5;  // float32 steps, a float64 setting
  for (std::size_t i = 0; i < n; ++i)
    if (std::abs(at(i) - x) < kSame) return report.errors[i];
  for (std::size_t i = 0; i + 1 < n; ++i) {
    if (x < at(i) || x > at(i + 1)) continue;
    const double share = (x - at(i)) / (at(i + 1) - at(i));
    return std::exp(value(i) + share * (value(i + 1) - value(i)));
  }
  return std::numeric_limits<double>::quiet_NaN();
}

QString deltaText(double delta_t) { return QStringLiteral("δt = %1").arg(delta_t, 0, 'g', 3); }

QString derivativeHeadline(const base::DerivativeHealthReady& report) {
  const QString step = derivativeText("step %1").arg(formatCount(report.step));
  if (!(report.delta_t > 0)) return derivativeText("Nothing to choose: the derivative is exact · %1").arg(step);
  const bool is_measured = report.suggested_delta_t > 0;
  QString advice;
  if (report.verdict == "healthy")
    advice = derivativeText("Stay with %1").arg(deltaText(report.delta_t));
  else if (report.verdict == "rounding" || report.verdict == "truncation")
    advice =
        (report.verdict == "rounding" ? derivativeText("Take a larger step") : derivativeText("Take a smaller step")) +
        (is_measured ? QStringLiteral(", %1").arg(deltaText(report.suggested_delta_t)) : QString());
  else
    advice = derivativeText("Nothing can be said of %1").arg(deltaText(report.delta_t));
  QStringList texts = {advice};
  if (const double error = derivativeErrorAt(report, report.delta_t); std::isfinite(error))
    texts << derivativeText("off by %1").arg(percentText(error));
  return (texts << step).join(QStringLiteral(" · "));
}

QString derivativeWords(const base::DerivativeHealthReady& report) {
  const QString where =
      derivativeText("%1, step %2, %3:")
          .arg(stageTitle(report.stage), formatCount(report.step), QString::fromStdString(report.precision));
  if (!(report.delta_t > 0))
    return derivativeText("%1 the objective takes the exact derivative (a JVP); no finite difference is in use.")
        .arg(where);
  const double error = derivativeErrorAt(report, report.delta_t);
  const double best = derivativeErrorAt(report, report.suggested_delta_t);
  QString text =
      std::isfinite(error)
          ? derivativeText("%1 du/dt by %2 is off by %3.").arg(where, deltaText(report.delta_t), percentText(error))
          : derivativeText("%1 %2 lies outside of the steps that were measured.").arg(where, deltaText(report.delta_t));
  if (report.verdict == "rounding")
    text += QLatin1Char(' ') + derivativeText(
                                   "It suffers from rounding: the difference of two nearly equal outputs has few "
                                   "digits left. A larger step helps.");
  else if (report.verdict == "truncation")
    text += QLatin1Char(' ') +
            derivativeText("It suffers from truncation: the derivative changes within the step. A smaller step helps.");
  else if (report.verdict == "healthy")
    text += QLatin1Char(' ') + derivativeText("That is healthy.");
  else if (!report.verdict.empty())
    text += QLatin1Char(' ') + QString::fromStdString(report.verdict) + QLatin1Char('.');
  if (report.suggested_delta_t > 0 && std::isfinite(best))
    text +=
        QLatin1Char(' ') +
        derivativeText("The smallest error, %1, is at %2.").arg(percentText(best), deltaText(report.suggested_delta_t));
  return text;
}

}  // namespace meanflow::ui
