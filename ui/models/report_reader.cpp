// SPDX-License-Identifier: GPL-3.0-or-later
//
// readRunScores: report.json as rows of numbers with their cards.
#include <QCoreApplication>
#include <QCryptographicHash>
#include <QFile>
#include <QFileInfo>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <cmath>
#include <optional>

#include "core/base/config/config_io.h"
#include "core/base/run/checkpoint_files.h"
#include "ui/models/run_scores.h"
#include "ui/theme/format.h"

namespace meanflow::ui {
namespace {

constexpr qint64 kMaxReportBytes = 16 << 20;
constexpr qint64 kMaxJudgeBytes = 256 << 20;
constexpr int kMaxRows = 500;
constexpr int kMaxNotes = 3;

QString sayOfReport(const char* text) { return QCoreApplication::translate("Scores", text); }

/// One report being read: what it was made of, and what was wrong with it.
class ReportReader {
 public:
  explicit ReportReader(const QString& folder) : folder_(folder) {
    scores_.folder = folder;
    scores_.name = QFileInfo(folder).fileName();
  }

  RunScores read() {
    const QString path = folder_ + QStringLiteral("/report/report.json");
    QFile file(path);
    if (!file.exists()) {
      scores_.trouble =
          QFileInfo::exists(folder_)
              ? sayOfReport("There is no report/report.json yet: the stage report writes it at the end of the run.")
              : sayOfReport("The run folder %1 is not there.").arg(folder_);
      return scores_;
    }
    if (!file.open(QIODevice::ReadOnly)) {
      scores_.trouble = sayOfReport("%1 cannot be read: %2").arg(path, file.errorString());
      return scores_;
    }
    if (file.size() > kMaxReportBytes) {
      scores_.trouble = sayOfReport("%1 has %2, which is too much for a report.").arg(path, formatBytes(file.size()));
      return scores_;
    }
    QJsonParseError error;
    const auto document = QJsonDocument::fromJson(file.readAll(), &error);
    if (!document.isObject()) {
      const QString why = error.error == QJsonParseError::NoError
                              ? sayOfReport("it is no JSON object")
                              : sayOfReport("%1 at byte %2").arg(error.errorString()).arg(error.offset);
      scores_.trouble =
          sayOfReport("%1 is broken: %2. Take it away, and the stage report writes it anew.").arg(path, why);
      return scores_;
    }
    root_ = document.object();
    scores_.has_report = true;
    readOrigin();
    readFloors();
    readSamples();
    scores_.is_current = isCurrent();
    if (!notes_.isEmpty())
      scores_.trouble = sayOfReport("Not all of report.json could be used: %1").arg(notes_.join(QStringLiteral("; ")));
    return scores_;
  }

 private:
  void note(const QString& text) {
    if (notes_.size() < kMaxNotes) notes_ << text;
  }

  std::optional<double> number(const QJsonObject& object, const QString& key, const QString& where) {
    const auto value = object.value(key);
    if (value.isUndefined()) return std::nullopt;
    if (!value.isDouble()) {
      note(sayOfReport("%1 is no number").arg(where + key));
      return std::nullopt;
    }
    return value.toDouble();
  }

  QJsonObject section(const QString& key) {
    const auto value = root_.value(key);
    if (!value.isObject() && !value.isUndefined()) note(sayOfReport("%1 is no table").arg(key));
    return value.toObject();
  }

  /// scored_from.json holds what the figures follow from; config.yaml may have changed since.
  void readOrigin() {
    QFile file(folder_ + QStringLiteral("/report/scored_from.json"));
    if (file.open(QIODevice::ReadOnly)) {
      const auto origin = QJsonDocument::fromJson(file.read(kMaxReportBytes)).object();
      const auto settings = origin.value(QStringLiteral("settings")).toObject();
      for (auto it = settings.begin(); it != settings.end(); ++it) settings_[it.key()] = it->toString();
      const auto checkpoints = origin.value(QStringLiteral("checkpoints")).toObject();
      for (auto it = checkpoints.begin(); it != checkpoints.end(); ++it)
        steps_[it.key()] = it->toObject().value(QStringLiteral("step")).toInteger(-1);
    }
    for (const auto& each : root_.value(QStringLiteral("stages")).toArray()) {
      const auto stage = each.toObject();
      const QString name = stage.value(QStringLiteral("stage")).toString();
      if (!name.isEmpty() && !steps_.contains(name)) steps_[name] = stage.value(QStringLiteral("steps")).toInteger(-1);
    }
    QFile judge(folder_ + QStringLiteral("/report/judge.safetensors"));
    if (judge.open(QIODevice::ReadOnly) && judge.size() <= kMaxJudgeBytes) {
      QCryptographicHash hash(QCryptographicHash::Sha256);
      if (hash.addData(&judge)) judge_ = QString::fromLatin1(hash.result().toHex().left(12));
    }
  }

  /// Of a setting as it was in force; strings without their quotes, empty when it is not known.
  QString setting(const char* key) const {
    QString value = settings_.value(QLatin1String(key));
    if (value.size() >= 2 && value.startsWith(u'"') && value.endsWith(u'"')) value = value.mid(1, value.size() - 2);
    return value;
  }

  bool isCurrent() const {
    if (settings_.isEmpty()) return false;
    const auto config = base::loadConfig((folder_ + QStringLiteral("/config.yaml")).toStdString());
    if (!config.ok()) return false;
    for (auto it = settings_.begin(); it != settings_.end(); ++it) {
      const auto now = base::getValue(*config, it.key().toStdString());
      if (!now.ok() || QString::fromStdString(*now) != it.value()) return false;
    }
    const auto facts = base::listCheckpointFacts(folder_.toStdString());
    if (!facts.ok()) return false;
    QMap<QString, qint64> newest;
    for (const auto& each : *facts)
      if (each.problem.empty()) newest[QString::fromStdString(each.stage)] = each.step;
    for (auto it = newest.begin(); it != newest.end(); ++it)
      if (steps_.value(it.key(), -1) != it.value()) return false;
    return true;
  }

  QString data() const {
    const QString kind = setting("data.kind");
    if (kind.isEmpty()) return {};
    const QString path = setting("data.path");
    return sayOfReport("%1, %2 px, %3 training and %4 held-out images a class, share %5 held out")
        .arg(path.isEmpty() ? kind : path, setting("data.image_size"), setting("data.train_per_class"),
             setting("data.test_per_class"), setting("data.held_out"));
  }

  QString judgeRecipe() const {
    if (setting("evaluation.judge.steps").isEmpty()) return {};
    return sayOfReport("width %1, %2 features; %3 steps of %4 images, learning rate %5, weight decay %6")
        .arg(setting("evaluation.judge.width"), setting("evaluation.judge.features"), setting("evaluation.judge.steps"),
             setting("evaluation.judge.batch_size"), setting("evaluation.judge.lr"),
             setting("evaluation.judge.weight_decay"));
  }

  QString stepOf(const QString& stage) const {
    const qint64 step = steps_.value(stage, -1);
    return step < 0 ? QString() : formatCount(step);
  }

  /// What the judge measured on `images`.
  std::vector<ScoreFact> judgeCard(const QString& measure, const QString& images) {
    std::vector<ScoreFact> card = {
        {sayOfReport("Images"), images}, {sayOfReport("Data"), data()}, {sayOfReport("Judge"), judgeRecipe()}};
    const bool is_distance = measure.startsWith(QStringLiteral("frechet"));
    // Two judges of one recipe count classes alike; lengths in their features are not alike.
    const bool is_absolute = measure == QLatin1String("frechet_real") || measure == QLatin1String("frechet_recon");
    card.push_back({sayOfReport("Judge's weights"), judge_, is_absolute});
    const auto accuracy = root_.value(QStringLiteral("judge_accuracy"));
    card.push_back(
        {sayOfReport("Judge's accuracy"),
         accuracy.isDouble() ? sayOfReport("%1 on held-out images").arg(accuracy.toDouble(), 0, 'f', 4) : QString(),
         false});
    if (is_distance)
      card.push_back({sayOfReport("Features"),
                      setting("evaluation.judge.features").isEmpty()
                          ? QString()
                          : sayOfReport("the judge's last %1").arg(setting("evaluation.judge.features"))});
    if (measure == QLatin1String("frechet_real"))
      card.push_back({sayOfReport("Against"), sayOfReport("training images")});
    if (measure == QLatin1String("frechet_recon"))
      card.push_back({sayOfReport("Against"), sayOfReport("their reconstructions by decoder step %1 of %2")
                                                  .arg(stepOf(QStringLiteral("decoder")), scores_.name)});
    if (measure == QLatin1String("frechet_recon_relative"))
      card.push_back({sayOfReport("Against"), sayOfReport("reconstructions of training images by the run's decoder")});
    return card;
  }

  void addSubject(std::vector<ScoreFact>& card, const ScoreRow& row, const QString& stage, const QString& sampler,
                  const QString& guidance) const {
    const QString step = stepOf(stage);
    if (!stage.isEmpty())
      card.push_back({sayOfReport("Weights"),
                      step.isEmpty()
                          ? sayOfReport("%1 of %2").arg(row.weights, stageTitle(stage.toStdString()))
                          : sayOfReport("%1 of %2, step %3").arg(row.weights, stageTitle(stage.toStdString()), step),
                      false});
    if (!sampler.isEmpty()) card.push_back({sayOfReport("Steps"), sampler, false});
    if (!sampler.isEmpty()) card.push_back({sayOfReport("Guidance"), guidance, false});
    const auto seed = root_.value(QStringLiteral("seed"));
    if (!sampler.isEmpty())
      card.push_back({sayOfReport("Noise"),
                      seed.isDouble()
                          ? sayOfReport("seed %1, the report's own numbers: the same for every row of the run")
                                .arg(seed.toInteger())
                          : QString(),
                      false});
    card.push_back({sayOfReport("Run"), scores_.name, false});
  }

  void readFloors() {
    const auto floors = section(QStringLiteral("floors"));
    ScoreRow real;
    real.key = QStringLiteral("held_out");
    real.title = sayOfReport("held-out images");
    real.is_floor = true;
    const QString images = sayOfReport("all held-out images");
    const auto add = [&](ScoreRow& row, const QString& measure, std::optional<double> value,
                         std::vector<ScoreFact> card) {
      if (!value) return;
      addSubject(card, row, row.weights.isEmpty() ? QString() : QStringLiteral("decoder"), {}, {});
      row.scores.push_back({measure, *value, folder_, std::move(card)});
    };
    const QString where = QStringLiteral("floors.");
    add(real, QStringLiteral("accuracy"), number(root_, QStringLiteral("judge_accuracy"), {}),
        judgeCard(QStringLiteral("accuracy"), images));
    add(real, QStringLiteral("frechet_real"), number(floors, QStringLiteral("real"), where),
        judgeCard(QStringLiteral("frechet_real"), images));
    ScoreRow recon;
    recon.key = QStringLiteral("held_out_reconstructions");
    recon.title = sayOfReport("their reconstructions");
    recon.weights = sayOfReport("average (EMA)");
    recon.is_floor = true;
    add(recon, QStringLiteral("frechet_recon"), number(floors, QStringLiteral("recon"), where),
        judgeCard(QStringLiteral("frechet_recon"), images));
    add(recon, QStringLiteral("frechet_recon_relative"), number(floors, QStringLiteral("recon_relative"), where),
        judgeCard(QStringLiteral("frechet_recon_relative"), images));
    add(recon, QStringLiteral("psnr_test"), number(root_, QStringLiteral("psnr_test"), {}),
        {{sayOfReport("Images"), images}, {sayOfReport("Data"), data()}});
    for (auto* row : {&real, &recon})
      if (!row->scores.empty()) scores_.rows.push_back(std::move(*row));
  }

  void readSamples() {
    const auto samples = section(QStringLiteral("samples"));
    const auto latent_error = section(QStringLiteral("latent_error"));
    int num_rows = 0;
    for (auto it = samples.begin(); it != samples.end() && num_rows < kMaxRows; ++it, ++num_rows) {
      if (!it->isObject()) {
        note(sayOfReport("samples.%1 is no table").arg(it.key().left(40)));
        continue;
      }
      readRow(it.key().left(80), it->toObject(), latent_error);
    }
    std::stable_sort(scores_.rows.begin(), scores_.rows.end(),
                     [](const ScoreRow& a, const ScoreRow& b) { return rank(a) < rank(b); });
  }

  static int rank(const ScoreRow& row) {
    static const QStringList kOrder = {QStringLiteral("cmt"), QStringLiteral("student"), QStringLiteral("control"),
                                       QStringLiteral("teacher")};
    const int place = static_cast<int>(kOrder.indexOf(row.key.section(u'_', 0, 0)));
    if (row.is_floor) return 1000;
    if (row.nfe == 0) return 900;
    return (place < 0 ? 8 : place) * 100 + std::min(row.nfe, 90) +
           (row.key.endsWith(QStringLiteral("_guided")) ? 1 : 0);
  }

  QString guidance() const {
    const auto scale = root_.value(QStringLiteral("guidance_scale"));
    const auto interval = root_.value(QStringLiteral("guidance_interval")).toArray();
    if (!scale.isDouble()) return {};
    QString text = sayOfReport("scale %1").arg(scale.toDouble());
    if (interval.size() == 2)
      text += sayOfReport(" for t from %1 to %2").arg(interval[0].toDouble()).arg(interval[1].toDouble());
    return text;
  }

  /// Titles of what images can be made with, as the report's own tables call them.
  static QString maker(const QString& name) {
    if (name == QLatin1String("cmt")) return sayOfReport("CMT");
    if (name == QLatin1String("student")) return sayOfReport("CMT + MFD");
    if (name == QLatin1String("control")) return sayOfReport("Control");
    if (name == QLatin1String("teacher")) return sayOfReport("Teacher");
    return name;
  }

  void readRow(const QString& key, const QJsonObject& object, const QJsonObject& latent_error) {
    ScoreRow row;
    row.key = key;
    const QString name = key.section(u'_', 0, 0), rest = key.section(u'_', 1, 1);
    const bool is_guided = key.endsWith(QStringLiteral("_guided"));
    bool has_steps = false;
    const int steps = rest.toInt(&has_steps);
    has_steps = has_steps && steps > 0;
    QString stage = name == QLatin1String("student") ? QStringLiteral("mean_flow") : name;
    QString sampler;
    row.weights = sayOfReport("average (EMA)");  // what the report scores
    if (has_steps) {
      row.nfe = steps;
      const QString count = steps == 1 ? sayOfReport("1 step") : sayOfReport("%1 steps").arg(formatCount(steps));
      row.line = is_guided ? sayOfReport("%1, guided").arg(maker(name)) : maker(name);
      row.title = is_guided ? sayOfReport("%1, %2, guided").arg(maker(name), count)
                            : sayOfReport("%1, %2").arg(maker(name), count);
      sampler =
          name == QLatin1String("teacher")
              ? sayOfReport("%1 Euler steps%2")
                    .arg(formatCount(steps), is_guided ? sayOfReport(", two evaluations each where guided") : QString())
              : sayOfReport("%1, each one evaluation").arg(count);
    } else if (key == QLatin1String("reconstruction")) {
      row.title = sayOfReport("reconstructions of training images");
      stage = QStringLiteral("decoder");
    } else {
      row.title = key;
      row.weights.clear();
      stage.clear();
    }
    const QString where = QStringLiteral("samples.%1.").arg(key.left(40));
    const auto count = number(object, QStringLiteral("num_samples"), where);
    const QString images = count && *count >= 0 && *count < 1e15
                               ? sayOfReport("%1 images").arg(formatCount(static_cast<qint64>(*count)))
                               : QString();
    const QString guided = has_steps ? (is_guided ? guidance() : sayOfReport("none")) : QString();
    for (const char* measure : {"accuracy", "frechet_real", "frechet_recon", "frechet_recon_relative"}) {
      const auto value = number(object, QLatin1String(measure), where);
      if (!value) continue;
      auto card = judgeCard(QLatin1String(measure), images);
      addSubject(card, row, stage, sampler, guided);
      row.scores.push_back({QLatin1String(measure), *value, folder_, std::move(card)});
    }
    const auto errors = latent_error.value(name);
    if (!errors.isObject() && !errors.isUndefined())
      note(sayOfReport("latent_error.%1 is no table").arg(name.left(40)));
    if (has_steps && name != QLatin1String("teacher")) {
      const auto value =
          number(errors.toObject(), QString::number(steps), QStringLiteral("latent_error.%1.").arg(name));
      if (value) {
        const QString noises = setting("evaluation.latent_error_noises"), fine = setting("evaluation.fine_steps");
        std::vector<ScoreFact> card = {
            {sayOfReport("Noises"), noises},
            {sayOfReport("Against"),
             fine.isEmpty()
                 ? QString()
                 : sayOfReport("the teacher's solution in %1 Euler steps, guided: %2").arg(fine, guidance())},
            {sayOfReport("Teacher"),
             sayOfReport("step %1 of %2").arg(stepOf(QStringLiteral("teacher")), scores_.name)}};
        addSubject(card, row, stage, sampler, guided);
        row.scores.push_back({QStringLiteral("latent_error"), *value, folder_, std::move(card)});
      }
    }
    const auto classes = object.value(QStringLiteral("accuracy_by_class"));
    if (!classes.isObject() && !classes.isUndefined()) note(sayOfReport("%1accuracy_by_class is no table").arg(where));
    const auto by_class = classes.toObject();
    for (auto it = by_class.begin(); it != by_class.end(); ++it)
      if (it->isDouble()) row.accuracy_by_class[it.key().left(80)] = it->toDouble();
    if (!row.scores.empty()) scores_.rows.push_back(std::move(row));
  }

  QString folder_;
  RunScores scores_;
  QJsonObject root_;
  QMap<QString, QString> settings_;
  QMap<QString, qint64> steps_;  ///< Of the checkpoints that were scored, by stage.
  QString judge_;                ///< The first digits of the SHA-256 of its weights.
  QStringList notes_;
};

}  // namespace

RunScores readRunScores(const QString& folder) { return ReportReader(folder).read(); }

}  // namespace meanflow::ui
