// SPDX-License-Identifier: Apache-2.0
#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "core/base/events/event_json.h"
#include "core/base/events/event_log.h"
#include "core/base/events/step_line.h"
#include "core/base/metrics/run_condenser.h"
#include "core/base/metrics/run_pyramid.h"
#include "core/base/run/atomic_file.h"
#include "tests/support/studio_test.h"

using namespace meanflow::base;

namespace {

/// A triangle wave of period 1000 between 0 and 500, whose extremes over any range are known.
double waveAt(std::int64_t step) {
  const auto phase = step % 1000;
  return static_cast<double>(phase <= 500 ? phase : 1000 - phase);
}

EventRecord waveStep(std::int64_t sequence, std::int64_t step) {
  StepCompleted event;
  event.stage = "teacher";
  event.step = step;
  event.images_seen = 64 * step;
  event.scalars = {{"loss", waveAt(step)}, {"lr", 1e-4}};
  event.seconds_per_step = 0.125;
  return {sequence, 1e9 + 0.125 * static_cast<double>(step), event};
}

/// Steps first ... last of the wave, with a word and a checkpoint after every 1000.
std::vector<EventRecord> waveRun(std::int64_t first, std::int64_t last, std::int64_t sequence) {
  std::vector<EventRecord> records;
  if (first == 1) {
    RunStarted started;
    started.stages = {"teacher"};
    records.push_back({sequence++, 1e9, started});
    records.push_back({sequence++, 1e9, StageStarted{"teacher", 0, last, 10}});
  }
  for (auto step = first; step <= last; ++step) {
    records.push_back(waveStep(sequence++, step));
    if (step % 1000 == 0) {
      records.push_back({sequence++, 1e9, LogMessage{"info", "at " + std::to_string(step)}});
      records.push_back({sequence++, 1e9, CheckpointSaved{"teacher", step, "x", 1, 1}});
    }
  }
  return records;
}

std::string linesOf(const std::vector<EventRecord>& records) {
  std::string text;
  for (const auto& record : records) text += toJsonLine(record) + "\n";
  return text;
}

RunCondenser condensed(std::vector<EventRecord> records) {
  RunCondenser condenser;
  condenser.apply(std::move(records));
  return condenser;
}

bool isSame(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

}  // namespace

class TestRunPyramid : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void init() { dir_ = std::make_unique<QTemporaryDir>(); }

  /// The extremes of a wave over every view, at every size of segment: closed forms, no other pyramid to compare with.
  void everyLevelHasTheExtremesOfTheWave() {
    const std::int64_t num_steps = 100'000;
    MetricSeries points;
    for (std::int64_t step = 1; step <= num_steps; ++step) points.append(static_cast<double>(step), waveAt(step));
    for (const std::size_t size : {1, 16, 256, 4096}) {
      MetricSeries series;
      for (const auto& segment : points.segments(size)) series.appendSegment(segment);
      QCOMPARE(series.size(), (num_steps + size - 1) / size);
      for (const std::size_t max_buckets : {1, 10, 100, 5000}) {
        std::int64_t next = 1;
        for (const auto& bucket : series.view(0, static_cast<double>(num_steps), max_buckets)) {
          QCOMPARE(static_cast<std::int64_t>(bucket.x_first), next);
          double low = 1e9, high = -1;
          for (; next <= static_cast<std::int64_t>(bucket.x_last); ++next)
            low = std::min(low, waveAt(next)), high = std::max(high, waveAt(next));
          QCOMPARE(bucket.y_min, low);
          QCOMPARE(bucket.y_max, high);
          QCOMPARE(bucket.y_last, waveAt(next - 1));
          // A bucket of a whole period has both ends of the wave.
          if (bucket.x_last - bucket.x_first >= 1000) QVERIFY(bucket.y_min == 0 && bucket.y_max == 500);
        }
        QCOMPARE(next, num_steps + 1);
      }
    }
  }

  void segmentsOfSegmentsAreTheSegmentsOfThePoints() {
    MetricSeries points, small;
    std::mt19937 random(3);
    for (int i = 1; i <= 10'000; ++i)
      points.append(i, i % 97 == 0 ? std::nan("") : static_cast<double>(random() % 1000));
    for (const auto& segment : points.segments(16)) small.appendSegment(segment);
    const auto direct = points.segments(256), twice = small.segments(16);
    QCOMPARE(twice.size(), direct.size());
    for (std::size_t i = 0; i < direct.size(); ++i) {
      QCOMPARE(twice[i].low, direct[i].low);
      QCOMPARE(twice[i].high, direct[i].high);
      QCOMPARE(twice[i].num_finite, direct[i].num_finite);
      QVERIFY(isSame(twice[i].y_last, direct[i].y_last));
      QVERIFY(std::abs(twice[i].mean - direct[i].mean) < 1e-9);
    }
  }

  void aSegmentOfNothingFiniteHasNoExtremes() {
    MetricSeries points, series;
    for (int i = 1; i <= 32; ++i) points.append(i, i <= 16 ? std::numeric_limits<double>::infinity() : 2.0);
    for (const auto& segment : points.segments(16)) series.appendSegment(segment);
    const auto view = series.view(0, 32, 10);
    QCOMPARE(view.size(), std::size_t{2});
    QVERIFY(std::isnan(view[0].y_min) && std::isnan(view[0].y_max));
    QCOMPARE(view[1].y_min, 2.0);
  }

  /// A series that is constant within its segments: the average of the segments is the average of the points.
  void smoothingOfConstantSegmentsIsThatOfTheirPoints() {
    MetricSeries points, series;
    for (int i = 0; i < 1600; ++i) points.append(i + 1, (i / 16) % 7);
    for (const auto& segment : points.segments(16)) series.appendSegment(segment);
    SmoothedSeries of_points(0.97), of_segments(0.97);
    of_points.update(points), of_segments.update(series);
    for (std::size_t k = 0; k < series.size(); ++k)
      QVERIFY(std::abs(of_segments.y(k) - of_points.y(16 * k + 15)) < 1e-12);
  }

  void pointsMayFollowSegmentsAndARewindCutsThem() {
    MetricSeries points, series;
    for (int i = 1; i <= 64; ++i) points.append(i, i);
    for (const auto& segment : points.segments(16)) series.appendSegment(segment);
    const auto generation = series.generation();
    QVERIFY(generation != points.generation());  // whoever has read the points starts again
    series.append(65, -1);
    QCOMPARE(series.view(0, 100, 1).front().y_min, -1.0);
    series.truncateAfter(40);  // inside the third segment, which can no longer be told apart
    QCOMPARE(series.size(), std::size_t{2});
    QVERIFY(series.generation() != generation);
    QCOMPARE(series.view(0, 100, 1).front().y_max, 32.0);
    series.append(41, 1000);
    QCOMPARE(series.view(0, 100, 1).front().y_max, 1000.0);
  }

  void theKeptEventsKnowWhereTheRunWas() {
    auto condenser = condensed(waveRun(1, 5500, 0));
    const auto kept = condenser.takeKept();
    QCOMPARE(kept.size(), std::size_t{2 + 5 * 3 + 1});  // with a step before each word, and the last one
    MetricsStore all, few;
    for (const auto& record : waveRun(1, 5500, 0)) all.apply(record);
    for (const auto& record : kept) few.apply(record);
    QCOMPARE(few.checkpoints().size(), all.checkpoints().size());
    QCOMPARE(few.stage("teacher")->step, std::int64_t{5500});
    const auto* time = few.series("teacher", "device_seconds");
    const auto* time_of_all = all.series("teacher", "device_seconds");
    QCOMPARE(time->y(time->size() - 1), time_of_all->y(time_of_all->size() - 1));
    const auto again = condenser.takeKept();
    QCOMPARE(again.size(), std::size_t{1});  // the newest step only
  }

  void whatIsSavedIsRead() {
    const auto log = writeLog(waveRun(1, 40'000, 0));
    const auto saved = condensed(waveRun(1, 40'000, 0)).pyramid(sizeOf(log));
    QVERIFY(saved.ok() && saveRunPyramid(log, *saved).ok());
    const auto read = loadRunPyramid(log);
    QVERIFY2(read.ok(), read.ok() ? "" : read.error().message.c_str());
    QCOMPARE(read->next_sequence, saved->next_sequence);
    QCOMPARE(read->covered_bytes, sizeOf(log));
    QVERIFY(read->kept == saved->kept);
    QCOMPARE(read->series.size(), saved->series.size());
    for (const auto& [key, series] : saved->series) {
      const auto& other = read->series.at(key);
      QCOMPARE(other.size(), series.size());
      const auto a = series.segments(1), b = other.segments(1);
      for (std::size_t i = 0; i < a.size(); ++i) {
        QVERIFY(isSame(a[i].low, b[i].low) && isSame(a[i].high, b[i].high) && isSame(a[i].mean, b[i].mean));
        QVERIFY(a[i].x_first == b[i].x_first && a[i].x_last == b[i].x_last && a[i].num_finite == b[i].num_finite);
      }
    }
  }

  void aLogThatGrewKeepsItsPyramid() {
    const auto log = writeLog(waveRun(1, 5000, 0));
    auto condenser = condensed(waveRun(1, 5000, 0));
    const auto covered = sizeOf(log);
    QVERIFY(saveRunPyramid(log, *condenser.pyramid(covered)).ok());
    append(log, linesOf(waveRun(5001, 6000, condenser.nextSequence())));
    const auto read = loadRunPyramid(log);
    QVERIFY(read.ok());
    auto reader = EventLogReader::open(log, read->covered_bytes);
    QVERIFY(reader.ok());
    const auto news = reader->poll();
    QCOMPARE(news->size(), std::size_t{1002});
    QCOMPARE(news->front().sequence, read->next_sequence);
    QVERIFY(!EventLogReader::open(log, covered - 3).ok());  // no line begins there
  }

  void aLogThatWasCutOrReplacedIsNoticed() {
    const auto records = waveRun(1, 5000, 0);
    const auto log = writeLog(records);
    QVERIFY(saveRunPyramid(log, *condensed(records).pyramid(sizeOf(log))).ok());
    QVERIFY(loadRunPyramid(log).ok());
    auto text = linesOf(records);
    QVERIFY(writeFileAtomically(log, std::string_view(text).substr(0, text.size() - 1)).ok());
    QVERIFY(!loadRunPyramid(log).ok());
    for (const double share : {0.001, 0.25, 0.5, 0.999}) {  // as long as before: at a block of the fingerprint
      auto other = text;
      other[static_cast<std::size_t>(share * static_cast<double>(text.size()))] ^= 1;
      QVERIFY(writeFileAtomically(log, other).ok());
      QVERIFY2(!loadRunPyramid(log).ok(), std::to_string(share).c_str());
    }
    QVERIFY(writeFileAtomically(log, text).ok());
    QVERIFY(loadRunPyramid(log).ok());
  }

  void aDamagedPyramidIsRefusedWhereverItIsDamaged() {
    const auto records = waveRun(1, 2000, 0);
    const auto log = writeLog(records);
    QVERIFY(!loadRunPyramid(log).ok());  // none yet
    QVERIFY(saveRunPyramid(log, *condensed(records).pyramid(sizeOf(log))).ok());
    const auto whole = *readFile(runPyramidPath(log));
    for (std::size_t at = 0; at < whole.size(); at += whole.size() / 400 + 1) {
      auto flipped = whole;
      flipped[at] = static_cast<char>(flipped[at] ^ 0x40);
      QVERIFY(writeFileAtomically(runPyramidPath(log), flipped).ok());
      QVERIFY2(!loadRunPyramid(log).ok(), std::to_string(at).c_str());
      QVERIFY(writeFileAtomically(runPyramidPath(log), std::string_view(whole).substr(0, at)).ok());
      QVERIFY2(!loadRunPyramid(log).ok(), std::to_string(at).c_str());
    }
    QVERIFY(writeFileAtomically(runPyramidPath(log), whole + "x").ok());
    QVERIFY(!loadRunPyramid(log).ok());
  }

  void aFolderThatMayNotBeWrittenIsAnErrorAndNoMore() {
    const auto records = waveRun(1, 2000, 0);
    const auto log = writeLog(records);
    const auto pyramid = condensed(records).pyramid(sizeOf(log));
    QVERIFY(QDir(dir_->path()).mkpath(QStringLiteral("events.pyramid")));  // root may write anywhere: a folder is there
    QVERIFY(!saveRunPyramid(log, *pyramid).ok());
    QVERIFY(!loadRunPyramid(log).ok());
    QVERIFY(!saveRunPyramid(log.parent_path() / "gone" / "events.jsonl", *pyramid).ok());
  }

  /// Both readers of a line agree, on what the writer writes and on everything near it.
  void theFastReaderOfStepsAgreesWithTheOther() {
    std::mt19937_64 random(11);
    const auto number = [&]() -> double {
      const auto bits = random();
      switch (bits % 5) {
        case 0:
          return static_cast<double>(bits >> 40);
        case 1:
          return std::nan("");
        case 2:
          return -1;
        case 3:
          return std::ldexp(static_cast<double>(bits >> 11), -static_cast<int>(bits % 1100));
        default:
          return std::bit_cast<double>(bits);
      }
    };
    for (int i = 0; i < 20'000; ++i) {
      StepCompleted event;
      event.stage = i % 3 ? "teacher" : "mean_flow";
      event.step = static_cast<std::int64_t>(random() >> (i % 60 + 2));
      event.images_seen = 64 * i;
      for (int k = 0; k < i % 4; ++k) event.scalars.push_back({"s" + std::to_string(k), number()});
      event.seconds_per_step = number(), event.images_per_second = number(), event.eta_seconds = number();
      event.is_clipped = i % 2 == 0;
      const auto line = toJsonLine({i, 1.7e9 + i * 0.1, event});
      const auto read = stepFromJsonLine(line);
      QVERIFY2(read, line.c_str());
      QCOMPARE(toJsonLine(*read), line);
      // One byte is changed, which makes it another line or none: with a space in front only the other reader takes it.
      auto other = line;
      other[random() % other.size()] = "0123456789.-e+,:{}[]\"\\nx "[random() % 25];
      const auto fast = eventFromJson(other), slow = eventFromJson(" " + other);
      QCOMPARE(fast.ok() && fast->has_value(), slow.ok() && slow->has_value());
      if (fast.ok() && fast->has_value()) QCOMPARE(toJsonLine(**fast), toJsonLine(**slow));
    }
  }

 private:
  std::filesystem::path writeLog(const std::vector<EventRecord>& records) {
    const auto path = std::filesystem::path(dir_->path().toStdString()) / "events.jsonl";
    append(path, linesOf(records));
    return path;
  }
  static void append(const std::filesystem::path& path, const std::string& text) {
    QFile file(QString::fromStdString(path.string()));
    QVERIFY(file.open(QIODevice::Append));
    QCOMPARE(file.write(text.data(), static_cast<qint64>(text.size())), static_cast<qint64>(text.size()));
  }
  static std::int64_t sizeOf(const std::filesystem::path& path) {
    return static_cast<std::int64_t>(std::filesystem::file_size(path));
  }
  std::unique_ptr<QTemporaryDir> dir_;
};

STUDIO_TEST(TestRunPyramid)
#include "tst_run_pyramid.moc"
