// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/sample_settings.h"

#include <QCoreApplication>
#include <QRegularExpression>
#include <QStringList>
#include <algorithm>

namespace meanflow::ui {
namespace {

constexpr std::uint64_t kNoisesAClass = 1000;  // as in live grids and in the report
constexpr std::size_t kMaxColumns = 64;
constexpr std::size_t kMaxImages = 8192;

QString say(const char* text) { return QCoreApplication::translate("SampleSettings", text); }

QString textOf(const base::PngTexts& texts, const char* key) {
  const auto at = texts.find(key);
  return at == texts.end() ? QString() : QString::fromStdString(at->second);
}

}  // namespace

std::optional<std::vector<std::uint64_t>> SampleSettings::columns() const {
  std::vector<std::uint64_t> numbers;
  static const QRegularExpression kPiece(QStringLiteral("^(\\d{1,9})(?:\\s*-\\s*(\\d{1,9}))?$"));
  for (const auto& piece : noises.split(QLatin1Char(','), Qt::SkipEmptyParts)) {
    const auto match = kPiece.match(piece.trimmed());
    if (!match.hasMatch()) return std::nullopt;
    const auto first = match.captured(1).toULongLong();
    const auto last = match.captured(2).isEmpty() ? first : match.captured(2).toULongLong();
    if (last < first || last - first >= kMaxColumns) return std::nullopt;
    for (auto number = first; number <= last; ++number) numbers.push_back(number);
  }
  if (numbers.empty() || numbers.size() > kMaxColumns) return std::nullopt;
  return numbers;
}

int SampleSettings::numRows() const {
  const auto numbers = columns();
  if (!numbers) return 0;
  return static_cast<int>(classes.size() * (isInterpolation() ? numbers->size() : 1));
}

int SampleSettings::numColumns() const {
  const auto numbers = columns();
  if (!numbers) return 0;
  return isInterpolation() ? between : static_cast<int>(numbers->size());
}

QString SampleSettings::problem() const {
  if (classes.empty()) return say("No class is chosen: tick some in the list.");
  const auto numbers = columns();
  if (!numbers) return say("The noises are numbers and ranges such as \"0-7\" or \"0, 3, 12\", 64 at most.");
  if (const auto count = static_cast<std::size_t>(numRows()) * static_cast<std::size_t>(numColumns());
      count > kMaxImages)
    return say("%1 images are too many at once: choose fewer classes or noises.").arg(count);
  if (isInterpolation() && (between < 2 || between > static_cast<int>(kMaxColumns)))
    return say("An interpolation has 2 to 64 images from end to end.");
  if (towards_seed == seed && !towards_class) return say("Both ends have the same seed: choose another one to go to.");
  if (use_teacher && guidance_t_min > guidance_t_max) return say("Guidance ends before it begins: swap its two times.");
  return {};
}

base::SampleRequest SampleSettings::request(const QString& run_folder, std::int64_t id) const {
  base::SampleRequest request;
  request.id = id;
  request.run_folder = run_folder.toStdString();
  request.checkpoint = checkpoint.toStdString();
  request.seed = seed;
  request.noise_scale = truncation;
  request.nfe = nfe;
  request.use_teacher = use_teacher;
  request.guidance_scale = use_teacher ? guidance_scale : 1;
  request.guidance_t_min = guidance_t_min;
  request.guidance_t_max = guidance_t_max;
  request.use_ema = use_ema;
  const auto numbers = columns().value_or(std::vector<std::uint64_t>{});
  for (const auto label : classes) {
    for (const auto number : numbers) {
      const auto index = number + (has_shared_noise ? 0 : static_cast<std::uint64_t>(label) * kNoisesAClass);
      for (int k = 0; k < (isInterpolation() ? between : 1); ++k) {
        request.labels.push_back(label);
        request.noise_indices.push_back(index);
        if (isInterpolation())
          request.blends.push_back({.share = static_cast<double>(k) / (between - 1),
                                    .seed = towards_seed.value_or(seed),
                                    .noise_index = index,
                                    .label = towards_class.value_or(-1)});
      }
    }
  }
  return request;
}

base::PngTexts SampleSettings::toTexts(const QString& run_name) const {
  QStringList rows;
  for (const auto label : classes) rows << QString::number(static_cast<qlonglong>(label));
  base::PngTexts texts = {
      {"run", run_name.toStdString()},
      {"rows", rows.join(QLatin1Char(',')).toStdString()},
      {"noises", noises.toStdString()},
      {"shared_noise", has_shared_noise ? "yes" : "no"},
      {"seed", std::to_string(seed)},
      {"nfe", std::to_string(nfe)},
      {"model", use_teacher ? "teacher" : "student"},
      {"guidance_scale", QString::number(guidance_scale).toStdString()},
      {"guidance_interval",
       (QString::number(guidance_t_min) + QLatin1Char(' ') + QString::number(guidance_t_max)).toStdString()},
      {"weights", use_ema ? "ema" : "raw"},
      {"checkpoint", checkpoint.toStdString()},
      {"truncation", QString::number(truncation).toStdString()}};
  if (!isInterpolation()) return texts;
  texts.emplace("between", std::to_string(between));
  if (towards_seed) texts.emplace("towards_seed", std::to_string(*towards_seed));
  if (towards_class) texts.emplace("towards_class", std::to_string(*towards_class));
  return texts;
}

std::optional<SampleSettings> SampleSettings::fromTexts(const base::PngTexts& texts) {
  // A grid of the command line names the class of every image instead.
  const QString rows = texts.contains("rows") ? textOf(texts, "rows") : textOf(texts, "classes");
  if (rows.isEmpty() || !texts.contains("seed") || !texts.contains("nfe")) return std::nullopt;
  SampleSettings settings;
  std::size_t num_images = 0;
  for (const auto& text : rows.split(QLatin1Char(','), Qt::SkipEmptyParts)) {
    const std::int64_t label = text.trimmed().toLongLong();
    ++num_images;
    if (std::find(settings.classes.begin(), settings.classes.end(), label) == settings.classes.end())
      settings.classes.push_back(label);
  }
  if (settings.classes.empty()) return std::nullopt;
  if (texts.contains("towards_seed")) settings.towards_seed = textOf(texts, "towards_seed").toULongLong();
  if (texts.contains("towards_class")) settings.towards_class = textOf(texts, "towards_class").toLongLong();
  if (settings.isInterpolation()) {
    settings.between = std::clamp(textOf(texts, "between").toInt(), 2, static_cast<int>(kMaxColumns));
    num_images /= static_cast<std::size_t>(settings.between);  // what follows counts noises
  }
  // PNGs of the versions before had no truncation.
  if (texts.contains("truncation")) settings.truncation = std::clamp(textOf(texts, "truncation").toDouble(), 0.0, 1.0);
  if (texts.contains("noises")) {
    settings.noises = textOf(texts, "noises");
  } else {
    const auto first = textOf(texts, "first_noise").toULongLong();
    const auto count = std::max<std::size_t>(1, num_images / settings.classes.size());
    settings.noises = QStringLiteral("%1-%2").arg(first).arg(first + count - 1);
  }
  // The command line gives every class the same noises.
  settings.has_shared_noise = !texts.contains("noises") || textOf(texts, "shared_noise") == QLatin1String("yes");
  settings.seed = textOf(texts, "seed").toULongLong();
  settings.nfe = std::clamp(textOf(texts, "nfe").toInt(), 1, 10000);
  settings.use_teacher = textOf(texts, "model") == QLatin1String("teacher");
  settings.guidance_scale = std::clamp(textOf(texts, "guidance_scale").toDouble(), 0.0, 100.0);
  const auto interval = textOf(texts, "guidance_interval").split(QLatin1Char(' '), Qt::SkipEmptyParts);
  if (interval.size() == 2) {
    settings.guidance_t_min = std::clamp(interval[0].toDouble(), 0.0, 1.0);
    settings.guidance_t_max = std::clamp(interval[1].toDouble(), 0.0, 1.0);
  }
  // The command line says "model" for what is called raw here.
  settings.use_ema =
      textOf(texts, "weights") != QLatin1String("raw") && textOf(texts, "weights") != QLatin1String("model");
  settings.checkpoint = textOf(texts, "checkpoint");
  return settings;
}

}  // namespace meanflow::ui
