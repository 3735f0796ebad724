// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/models/checkpoint_list.h"

#include <QCoreApplication>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <algorithm>
#include <filesystem>

#include "ui/theme/format.h"

namespace meanflow::ui {
namespace {

struct StageScores {
  qint64 step = -1;
  QString score;
  QStringList scores;
};

QJsonObject readObject(const QString& path) {
  QFile file(path);
  return file.open(QIODevice::ReadOnly) ? QJsonDocument::fromJson(file.read(16 << 20)).object() : QJsonObject();
}

QString shortNumber(double value) { return QString::number(value, 'f', value < 0.1 ? 4 : 3); }

/// "student_2" is a row of the stage mean_flow in two steps.
QString stageOfRow(const QString& row) {
  const QString weights = row.section(QLatin1Char('_'), 0, 0);
  return weights == QLatin1String("student") ? QStringLiteral("mean_flow") : weights;
}

QString wayOfRow(const QString& row) {
  const int steps = row.section(QLatin1Char('_'), 1, 1).toInt();
  const QString text = steps == 1 ? CheckpointList::tr("1 step") : CheckpointList::tr("%1 steps").arg(steps);
  return row.endsWith(QLatin1String("_guided")) ? CheckpointList::tr("%1, guided").arg(text) : text;
}

/// What report.json says of each stage, and of which of its checkpoints.
std::map<std::string, StageScores> readScores(const QString& folder) {
  std::map<std::string, StageScores> all;
  const auto report = readObject(folder + QStringLiteral("/report/report.json"));
  if (report.isEmpty()) return all;
  for (const auto& each : report[QStringLiteral("stages")].toArray()) {
    const auto stage = each.toObject();
    all[stage[QStringLiteral("stage")].toString().toStdString()].step = stage[QStringLiteral("steps")].toInteger(-1);
  }
  const auto scored = readObject(folder + QStringLiteral("/report/scored_from.json"));
  const auto checkpoints = scored.value(QStringLiteral("checkpoints")).toObject();
  for (auto it = checkpoints.begin(); it != checkpoints.end(); ++it)
    all[it.key().toStdString()].step = it->toObject().value(QStringLiteral("step")).toInteger(-1);
  const auto samples = report[QStringLiteral("samples")].toObject();
  for (auto it = samples.begin(); it != samples.end(); ++it) {
    auto& scores = all[stageOfRow(it.key()).toStdString()];
    const auto row = it->toObject();
    const QString line =
        CheckpointList::tr("accuracy %1, distance %2 in %3")
            .arg(shortNumber(row[QStringLiteral("accuracy")].toDouble()),
                 shortNumber(row[QStringLiteral("frechet_recon_relative")].toDouble()), wayOfRow(it.key()));
    if (scores.score.isEmpty()) scores.score = line;
    scores.scores << line;
  }
  if (report.contains(QStringLiteral("psnr_test"))) {
    auto& decoder = all["decoder"];
    decoder.score = CheckpointList::tr("PSNR %1 dB").arg(report[QStringLiteral("psnr_test")].toDouble(), 0, 'f', 2);
    decoder.scores = {decoder.score};
  }
  return all;
}

}  // namespace

bool CheckpointCard::canSample() const {
  return isTeacher() || facts.stage == "cmt" || facts.stage == "mean_flow" || facts.stage == "control";
}

struct CheckpointList::Reading {
  QString folder;
  QString trouble;
  std::vector<base::CheckpointFacts> facts;
  std::map<std::string, StageScores> scores;
  bool may_delete = false;
};

CheckpointList::~CheckpointList() { *is_cancelled_ = true; }

void CheckpointList::setSource(RunSource* source) {
  if (source_) source_->disconnect(this);
  source_ = source;
  *is_cancelled_ = true;
  is_cancelled_ = std::make_shared<std::atomic<bool>>(false);
  cards_.clear();
  verdicts_.clear();
  trouble_.clear();
  has_read_ = may_delete_ = false;
  seen_revision_ = 0;
  if (source_) {
    seen_revision_ = source_->metrics().revisions().checkpoints;
    connect(source_, &RunSource::changed, this, [this](StoreKind kind) {
      if (kind != StoreKind::kSummary || source_->metrics().revisions().checkpoints == seen_revision_) return;
      seen_revision_ = source_->metrics().revisions().checkpoints;
      refresh();
    });
    connect(source_, &RunSource::troubleChanged, this, &CheckpointList::refresh);
  }
  refresh();
  Q_EMIT changed();
}

void CheckpointList::refresh() {
  if (!source_) return;
  if (num_readings_ > 0) {
    is_again_wanted_ = true;
    return;
  }
  ++num_readings_;
  reader_.run(
      this, [folder = source_->folder()] { return readFolder(folder); },
      [this](Reading reading) {
        --num_readings_;
        take(std::move(reading));
      });
}

CheckpointList::Reading CheckpointList::readFolder(const QString& folder) {
  Reading reading;
  reading.folder = folder;
  auto facts = base::listCheckpointFacts(folder.toStdString());
  if (!facts.ok()) {
    reading.trouble = QString::fromStdString(facts.error().message);
    return reading;
  }
  reading.facts = std::move(*facts);
  reading.scores = readScores(folder);
  // A folder on a read-only file system, or of somebody else, is looked at and no more.
  reading.may_delete = base::mayWrite(folder.toStdString());
  for (const auto& each : reading.facts) {
    const auto place = std::filesystem::path(folder.toStdString()) / each.stage / "checkpoints";
    reading.may_delete = reading.may_delete && base::mayWrite(place);
  }
  return reading;
}

void CheckpointList::take(Reading reading) {
  if (!source_ || reading.folder != source_->folder()) {
    if (source_) refresh();
    return;
  }
  trouble_ = reading.trouble;
  if (trouble_.isEmpty()) {
    has_read_ = true;
    may_delete_ = reading.may_delete;
    cards_.clear();
    for (std::size_t begin = 0, end = 0; begin < reading.facts.size(); begin = end) {
      const std::string stage = reading.facts[begin].stage;
      while (end < reading.facts.size() && reading.facts[end].stage == stage) ++end;
      for (std::size_t i = end; i-- > begin;) {
        CheckpointCard card;
        card.facts = std::move(reading.facts[i]);
        if (const auto scores = reading.scores.find(stage);
            scores != reading.scores.end() && scores->second.step == card.facts.step) {
          card.score = scores->second.score;
          card.scores = scores->second.scores;
        }
        cards_.push_back(std::move(card));
      }
    }
    applyVerdicts();
    // Those whose state.json does not vouch for them are read without being asked for.
    for (const auto& card : std::vector<CheckpointCard>(cards_))
      if (card.values == ValueHealth::kUnknown && card.facts.problem.empty()) check(card.path());
  }
  Q_EMIT changed();
  if (std::exchange(is_again_wanted_, false)) refresh();
}

void CheckpointList::applyVerdicts() {
  for (auto& card : cards_) {
    const auto verdict = verdicts_.find(card.facts.relative_path);
    card.was_read = false;
    card.finding.clear();
    card.values = card.facts.says_finite ? ValueHealth::kFinite : ValueHealth::kUnknown;
    if (verdict == verdicts_.end() || verdict->second.written_unix != card.facts.written_unix) continue;
    card.values = verdict->second.health;
    card.finding = verdict->second.finding;
    card.was_read = card.values != ValueHealth::kChecking;
  }
  std::vector<base::CheckpointFacts> facts;
  for (const auto& card : cards_) facts.push_back(card.facts);
  for (auto& card : cards_)
    card.is_newest_healthy =
        base::newestHealthy(facts, card.facts.stage, badSteps(card.facts.stage)) == card.facts.step;
}

std::set<std::int64_t> CheckpointList::badSteps(const std::string& stage) const {
  std::set<std::int64_t> steps;
  for (const auto& card : cards_)
    if (card.facts.stage == stage &&
        (card.values == ValueHealth::kNotFinite || card.values == ValueHealth::kUnreadable))
      steps.insert(card.facts.step);
  return steps;
}

const CheckpointCard* CheckpointList::find(const QString& path) const {
  const auto at =
      std::find_if(cards_.begin(), cards_.end(), [&](const CheckpointCard& card) { return card.path() == path; });
  return at == cards_.end() ? nullptr : &*at;
}

std::int64_t CheckpointList::totalBytes() const {
  std::int64_t bytes = 0;
  for (const auto& card : cards_) bytes += card.facts.bytes;
  return bytes;
}

void CheckpointList::check(const QString& path) {
  const auto* card = find(path);
  if (!card || card->values == ValueHealth::kChecking) return;
  const double written = card->facts.written_unix;
  verdicts_[path.toStdString()] = {ValueHealth::kChecking, {}, written};
  applyVerdicts();
  Q_EMIT changed();
  checker_.run(
      this,
      [target = std::filesystem::path(folder().toStdString()) / path.toStdString(), cancelled = is_cancelled_] {
        return base::checkCheckpoint(target, [cancelled] { return cancelled->load(); });
      },
      [this, path, written, cancelled = is_cancelled_](const base::Result<base::CheckpointCheck>& result) {
        if (*cancelled) return;  // another run is on show
        Verdict verdict{ValueHealth::kFinite, {}, written};
        if (!result.ok()) {
          verdict.health = ValueHealth::kUnreadable;
          verdict.finding = QString::fromStdString(result.error().message);
        } else if (!result->finding.empty()) {
          verdict.health = ValueHealth::kNotFinite;
          verdict.finding = QString::fromStdString(result->finding);
        }
        verdicts_[path.toStdString()] = verdict;
        applyVerdicts();
        Q_EMIT changed();
      });
}

void CheckpointList::remove(const QStringList& paths) {
  struct Target {
    std::string stage;
    std::int64_t step = 0;
    std::set<std::int64_t> bad_steps;
  };
  std::vector<Target> targets;
  for (const auto& path : paths)
    if (const auto* card = find(path))
      targets.push_back({card->facts.stage, card->facts.step, badSteps(card->facts.stage)});
  if (targets.empty()) return;
  reader_.run(
      this,
      [folder = folder().toStdString(), targets] {
        QStringList problems;
        const auto run = base::RunFolder::open(folder);
        if (!run.ok()) return QStringList{QString::fromStdString(run.error().message)};
        for (const auto& target : targets)
          if (const auto removed = base::removeCheckpoint(*run, target.stage, target.step, target.bad_steps);
              !removed.ok())
            problems << QString::fromStdString(removed.error().message);
        return problems;
      },
      [this](const QStringList& problems) {
        if (!problems.isEmpty()) Q_EMIT failed(problems.join(QLatin1Char('\n')));
        refresh();
      });
}

}  // namespace meanflow::ui
