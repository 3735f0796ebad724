// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>
#include <QTemporaryDir>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/base/events/bounded_queue_sink.h"
#include "core/base/events/command_json.h"
#include "core/base/events/event_json.h"
#include "core/base/events/event_log.h"
#include "core/base/events/fan_out_sink.h"
#include "tests/support/studio_test.h"

using namespace meanflow::base;

namespace {
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

StepCompleted stepEvent(std::int64_t step, double loss = 0.5) {
  return {.stage = "teacher",
          .step = step,
          .images_seen = 64 * step,
          .scalars = {{"loss", loss}, {"lr", 1e-4}},
          .seconds_per_step = 0.2,
          .images_per_second = 320,
          .eta_seconds = 12.5,
          .is_clipped = step % 2 == 1};
}
SamplesReady samplesEvent(std::int64_t step, const std::string& what) {
  SamplesReady event;
  event.stage = "cmt", event.step = step, event.what = what, event.path = "cmt/samples/x.png";
  event.grid = std::make_shared<Image8>(4, 4, std::uint8_t{7});
  return event;
}
EventRecord record(std::int64_t sequence, TrainingEvent event) {
  return {sequence, 1000.25 + sequence, std::move(event)};
}

std::string fileText(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}
void append(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::app) << text;
}

struct RecordingSink final : EventSink {
  void publish(const EventRecord& r) override { records.push_back(r); }
  std::vector<EventRecord> records;
};
struct ThrowingSink final : EventSink {
  void publish(const EventRecord&) override {
    ++num_calls;
    throw std::runtime_error("broken");
  }
  int num_calls = 0;
};
}  // namespace

class TestEvents : public QObject {
  Q_OBJECT
 private:
  QTemporaryDir folder_;
  std::filesystem::path path(const char* name) const { return folder_.filePath(name).toStdString(); }

 private Q_SLOTS:
  void everyEventTypeSurvivesARoundTrip() {
    TrajectoryReady trajectory{.stage = "cmt",
                               .step = 3,
                               .path = "p",
                               .label = 2,
                               .label_name = "heart",
                               .times = {1.0f, 0.1f},
                               .pca_x = {0.3f, 1e-8f},
                               .pca_y = {1, 2},
                               .speed = {3},
                               .jump_error = {},
                               .jump_x = {1, 2},
                               .jump_y = {3, 4},
                               .frames = nullptr};
    SamplesReady samples = samplesEvent(7, "one_step");
    samples.rows = 2, samples.columns = 8, samples.row_labels = {"face", "ball"}, samples.nfe = 2,
    samples.is_ema = false;
    const std::vector<TrainingEvent> events = {
        RunStarted{
            "run", std::numeric_limits<std::uint64_t>::max(), "cpu", 2, true, {"teacher"}, {1600}, {"a \"b\"\n", "ü"}},
        StateChanged{RunState::kPausing},
        StageStarted{"teacher", 5, 1600, 1370000},
        stepEvent(3),
        samples,
        trajectory,
        CmtMatrixReady{"cmt", 2, {1, 0.5f}, {0.1f, 0.2f, 0.3f, 0.4f}},
        MetricsReady{"decoder", 500, {{"psnr_test", 22.4}}},
        CheckpointSaved{"cmt", 450, "cmt/checkpoints/step_00000450", 123456789012, 0.5},
        SettingChanged{"cmt", 3, "cmt.training.lr", "1e-3", "1e-4"},
        StageFinished{"cmt", 900, 120.5, 240.25},
        WatchingCost{0.004, 0.01},
        LogMessage{"warn", "text"},
        Progress{"judge", 3, 500},
        RunFailed{"cmt", 3, "loss is nan", true},
        RunFinished{"finished"},
        BlockFiguresReady{
            "teacher", 40, {"x_embedder", "blocks.0"}, {{"grad_norm", {0.5f, 1e-7f}}, {"new_figure", {}}}},
        VelocityResidualsReady{
            "mean_flow", 20, 0.25, 64, {1, 2, 3, -0.5}, {0, 0.5f, 1}, {{4, 5, 6, 7}, {8, 9, 10, 11}}},
        TimeFiguresReady{"mean_flow",
                         20,
                         {0, 0.5f, 1},
                         {{"count", {3, 0}}, {"loss", {0.25f, 0.5f}}},
                         {0, 0.1f, 1},
                         {{"target", {1, 2}}}},
        DerivativeHealthReady{"mean_flow", 20, 5e-3, 2e-3, "fp32", "healthy", {1e-4f, 1e-2f}, {0.5f, 0.01f}, {}},
        AlarmRaised{"mean_flow",
                    21,
                    "non_finite",
                    "loss",
                    1,
                    0.5,
                    1000,
                    "stop",
                    {21, "blocks.0.attn.qkv.weight", "blocks.0", "aten::linear", 17, 1},
                    "a \"sentence\""},
        DiagnosisReady{"mean_flow", 21, "non_finite", {21, "latents", "", "data", 17, -1}, "text", "r/1", 0},
        RunBranched{"/runs/parent", "mean_flow", 100, {"mean_flow.training.lr: 1e-4 -> 1e-5"}}};
    QCOMPARE(events.size(), std::variant_size_v<TrainingEvent>);
    for (std::size_t i = 0; i < events.size(); ++i) {
      QCOMPARE(events[i].index(), i);
      const auto line = toJsonLine(record(static_cast<std::int64_t>(i), events[i]));
      QVERIFY2(line.find('\n') == std::string::npos, line.c_str());
      const auto again = eventFromJson(line);
      QVERIFY2(again.ok() && again->has_value(), line.c_str());
      QCOMPARE((*again)->sequence, static_cast<std::int64_t>(i));
      QCOMPARE((*again)->event.index(), i);
      QCOMPARE(QString::fromStdString(toJsonLine(**again)), QString::fromStdString(line));
    }
    const auto back = std::get<TrajectoryReady>((*eventFromJson(toJsonLine(record(0, trajectory))))->event);
    QCOMPARE(back.times, trajectory.times);
    QCOMPARE(back.pca_x, trajectory.pca_x);
    const auto started = std::get<RunStarted>((*eventFromJson(toJsonLine(record(0, events[0]))))->event);
    QCOMPARE(started.seed, std::numeric_limits<std::uint64_t>::max());
    QCOMPARE(started.class_names, (std::vector<std::string>{"a \"b\"\n", "ü"}));
  }
  void nonFiniteNumbersBecomeNullAndReadBackAsNaN() {
    auto event = stepEvent(1, kNaN);
    event.scalars.push_back({"grad_norm", kInf});
    const auto line = toJsonLine(record(0, event));
    QVERIFY2(line.find("\"loss\":null") != std::string::npos && line.find("\"grad_norm\":null") != std::string::npos,
             line.c_str());
    const auto back = std::get<StepCompleted>((*eventFromJson(line))->event);
    QVERIFY(std::isnan(back.scalars[0].value) && std::isnan(back.scalars[2].value));
    QCOMPARE(back.scalars[1].value, 1e-4);
  }
  void figuresOfBlocksAreShortAndSaySoWhenNotFinite() {
    BlockFiguresReady event{
        .stage = "cmt", .step = 12, .blocks = {}, .figures = {{"grad_norm", {}}, {"param_norm", {}}}};
    for (int i = 0; i < 40; ++i) {
      event.blocks.push_back("blocks." + std::to_string(i));
      event.figures[0].values.push_back(0.123456789F / static_cast<float>(i + 1));
      event.figures[1].values.push_back(12.3456789F);
    }
    event.figures[0].values[3] = std::numeric_limits<float>::infinity();
    const auto line = toJsonLine(record(0, event));
    QVERIFY2(line.size() < 1300, line.c_str());
    QVERIFY2(line.find("\"param_norm\":[12.346,12.346") != std::string::npos, line.c_str());
    const auto back = std::get<BlockFiguresReady>((*eventFromJson(line))->event);
    QCOMPARE(back.stage, event.stage);
    QCOMPARE(back.step, event.step);
    QCOMPARE(back.blocks, event.blocks);
    QCOMPARE(back.figures.size(), std::size_t{2});
    QCOMPARE(back.figures[0].name, std::string("grad_norm"));
    for (std::size_t i = 0; i < 40; ++i) {
      const float wanted = event.figures[0].values[i], got = back.figures[0].values[i];
      if (i == 3)
        QVERIFY(std::isnan(got));
      else
        QVERIFY2(std::abs(got - wanted) <= 1e-4F * wanted, qPrintable(QString::number(got)));
    }
    QVERIFY(!eventFromJson(R"({"type":"block_figures_ready","figures":[1]})").ok());
    QVERIFY(!eventFromJson(R"({"type":"block_figures_ready","figures":{"grad_norm":["many"]}})").ok());
  }
  void residualsOfTheVelocityKeepEveryTermAndBin() {
    const VelocityResidualsReady event{.stage = "mean_flow",
                                       .step = 7,
                                       .eta = 0.5,
                                       .num_samples = 256,
                                       .overall = {0.1, kNaN, 1e-9, -3},
                                       .t_edges = {0, 0.25F, 0.7F},
                                       .by_t = {{1, 2, 3, 4}, {5, 6, 7, 8}}};
    const auto line = toJsonLine(record(0, event));
    const auto back = std::get<VelocityResidualsReady>((*eventFromJson(line))->event);
    QCOMPARE(back.eta, 0.5);
    QCOMPARE(back.num_samples, std::int64_t{256});
    QCOMPARE(back.t_edges, event.t_edges);
    QVERIFY(back.by_t == event.by_t);
    QCOMPARE(back.overall.single_point, 0.1);
    QVERIFY(std::isnan(back.overall.teacher_oracle));
    QCOMPARE(back.overall.oracle_bias, 1e-9);
    QCOMPARE(back.overall.cross, -3.0);
    QVERIFY(!eventFromJson(R"({"type":"velocity_residuals_ready","by_t":[3]})").ok());
    QVERIFY(!eventFromJson(R"({"type":"velocity_residuals_ready","overall":{"cross":"x"}})").ok());
  }
  void pixelsAreNotWritten() {
    QVERIFY(toJsonLine(record(0, samplesEvent(1, "one_step"))).size() < 400);
    const auto back = eventFromJson(toJsonLine(record(0, samplesEvent(1, "one_step"))));
    QVERIFY(std::get<SamplesReady>((*back)->event).grid == nullptr);
  }
  void unknownTypesAreSkippedAndBrokenLinesAreErrors() {
    const auto unknown = eventFromJson("{\"seq\":1,\"time\":2,\"type\":\"from_the_future\",\"x\":1}");
    QVERIFY(unknown.ok() && !unknown->has_value());
    const std::string torn = "{\"seq\":1,\"ti";
    QVERIFY(!eventFromJson(torn).ok());
    QVERIFY(!eventFromJson("[]").ok());
    const auto wrong = eventFromJson("{\"seq\":1,\"type\":\"stage_started\",\"step\":\"many\"}");
    QVERIFY(!wrong.ok());
    QCOMPARE(QString::fromStdString(wrong.error().message),
             QString("event 'stage_started': member 'step' has the wrong type"));
    // Members that an older version did not write keep their defaults.
    const auto sparse = eventFromJson("{\"type\":\"step_completed\",\"stage\":\"cmt\",\"step\":4}");
    QCOMPARE(std::get<StepCompleted>((*sparse)->event).eta_seconds, -1.0);
  }
  void commandsSurviveARoundTrip() {
    const std::vector<Command> commands = {Pause{},   Resume{},  StopAndSave{},
                                           Discard{}, SaveNow{}, ChangeSetting{"cmt.training.lr", "1e-4"}};
    for (const auto& command : commands) {
      const auto again = commandFromJson(toJson(command));
      QVERIFY(again.ok());
      QCOMPARE(again->index(), command.index());
    }
    QCOMPARE(std::get<ChangeSetting>(*commandFromJson(toJson(commands[5]))).value, std::string("1e-4"));
    QCOMPARE(std::get<ChangeSetting>(*commandFromName("change_setting", "seed=3")).key, std::string("seed"));
    for (const char* bad :
         {"", "{", "[]", "{\"command\":5}", "{\"command\":\"explode\"}", "{\"command\":\"change_setting\"}"})
      QVERIFY2(!commandFromJson(bad).ok(), bad);
  }

  void logContinuesItsSequenceAfterATornLastLine() {
    const auto file = path("torn.jsonl");
    {
      auto writer = EventLogWriter::open(file);
      QVERIFY(writer.ok());
      QCOMPARE((*writer)->nextSequence(), std::int64_t{0});
      for (int i = 0; i < 3; ++i) (*writer)->publish(record(i, stepEvent(i)));
    }
    const auto whole = fileText(file);
    append(file, "{\"seq\":3,\"time\":1003.25,\"type\":\"step_comp");
    auto writer = EventLogWriter::open(file);
    QVERIFY(writer.ok());
    QCOMPARE(fileText(file), whole);
    QCOMPARE((*writer)->nextSequence(), std::int64_t{3});
    (*writer)->publish(record(3, RunFinished{"stopped"}));
    const auto events = readAllEvents(file);
    QCOMPARE(events->size(), std::size_t{4});
    for (int i = 0; i < 4; ++i) QCOMPARE((*events)[static_cast<std::size_t>(i)].sequence, std::int64_t{i});
  }
  void garbageOfAPowerCutIsCutOff() {
    const auto file = path("garbage.jsonl");
    const auto line = toJsonLine(record(41, stepEvent(1))) + "\n";
    append(file, line + std::string(5000, '\0') + "\n" + std::string(200000, '\0'));
    auto writer = EventLogWriter::open(file);
    QCOMPARE((*writer)->nextSequence(), std::int64_t{42});
    QCOMPARE(fileText(file), line);
    append(path("only_garbage.jsonl"), "no newline at all");
    QCOMPARE((*EventLogWriter::open(path("only_garbage.jsonl")))->nextSequence(), std::int64_t{0});
    QCOMPARE(std::filesystem::file_size(path("only_garbage.jsonl")), std::uintmax_t{0});
  }
  void sequenceIsFoundBehindLongLines() {
    const auto file = path("long.jsonl");
    auto event = stepEvent(1);
    append(file, toJsonLine(record(7, LogMessage{"info", std::string(300000, 'x')})) + "\n");
    append(file, toJsonLine(record(8, LogMessage{"info", std::string(300000, 'y')})) + "\n{\"torn");
    QCOMPARE((*EventLogWriter::open(file))->nextSequence(), std::int64_t{9});
    QCOMPARE(readAllEvents(file)->size(), std::size_t{2});
  }
  void readerFollowsAFileThatGrows() {
    const auto file = path("grow.jsonl");
    const auto line = [](int i) { return toJsonLine(record(i, stepEvent(i))) + "\n"; };
    append(file, line(0));
    auto reader = EventLogReader::open(file);
    QVERIFY(reader.ok());
    QCOMPARE(reader->poll()->size(), std::size_t{1});
    QCOMPARE(reader->poll()->size(), std::size_t{0});
    append(file, line(1) + line(2).substr(0, 20));
    QCOMPARE(reader->poll()->size(), std::size_t{1});
    QCOMPARE(reader->poll()->size(), std::size_t{0});
    append(file, line(2).substr(20) +
                     "{\"type\":\"from_the_future\"}"
                     "\n"
                     "torn{\n" +
                     line(3));
    const auto more = reader->poll();
    QCOMPARE(more->size(), std::size_t{2});
    QCOMPARE(more->back().sequence, std::int64_t{3});
    QCOMPARE(reader->numSkipped(), std::int64_t{2});
  }
  void readerSurvivesTheCutOfATornLine() {
    const auto file = path("cut.jsonl");
    append(file, toJsonLine(record(0, stepEvent(0))) + "\n{\"seq\":1,\"ty");
    auto reader = EventLogReader::open(file);
    QCOMPARE(reader->poll()->size(), std::size_t{1});
    auto writer = EventLogWriter::open(file);
    (*writer)->publish(record(1, StateChanged{RunState::kStarting}));
    const auto events = reader->poll();
    QVERIFY(events.ok());
    QCOMPARE(events->size(), std::size_t{1});
    QCOMPARE(std::get<StateChanged>(events->front().event).state, RunState::kStarting);
  }
  void readerReportsTruncationReplacementAndRemoval() {
    const auto file = path("gone.jsonl");
    append(file, toJsonLine(record(0, stepEvent(0))) + "\n");
    auto reader = EventLogReader::open(file);
    QCOMPARE(reader->poll()->size(), std::size_t{1});
    std::filesystem::resize_file(file, 3);
    QVERIFY(reader->poll().error().message.find("shrank") != std::string::npos);
    std::filesystem::remove(file);
    QVERIFY(reader->poll().error().message.find("cannot find the event log again") != std::string::npos);
    append(file, toJsonLine(record(0, stepEvent(0))) + "\n");
    QVERIFY(reader->poll().error().message.find("was replaced") != std::string::npos);
    QVERIFY(!EventLogReader::open(path("never.jsonl")).ok());
  }
  void fullDiskLosesNoEventAndLeavesNoTornLine() {
    const auto file = path("full.jsonl");
    auto writer = EventLogWriter::open(file);
    (*writer)->publish(record(0, stepEvent(0)));
    const auto before = fileText(file);
    rlimit old{};
    ::getrlimit(RLIMIT_FSIZE, &old);
    const auto handler = ::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{before.size() + 50, old.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
    (*writer)->publish(record(1, stepEvent(1)));
    (*writer)->publish(record(2, stepEvent(2)));
    const auto during = fileText(file);
    ::setrlimit(RLIMIT_FSIZE, &old);
    ::signal(SIGXFSZ, handler);
    QCOMPARE(during, before);
    (*writer)->publish(record(3, stepEvent(3)));
    QCOMPARE(readAllEvents(file)->size(), std::size_t{4});
  }

  void fanOutNumbersEventsAndDropsASinkThatThrows() {
    double now = 10;
    FanOutSink fan_out(5, [&] { return now++; });
    const auto good = std::make_shared<RecordingSink>();
    const auto bad = std::make_shared<ThrowingSink>();
    fan_out.add("bad", bad);
    fan_out.add("good", good);
    for (int i = 0; i < 3; ++i) fan_out.post(stepEvent(i));
    QCOMPARE(bad->num_calls, 1);
    QCOMPARE(good->records.size(), std::size_t{3});
    QCOMPARE(good->records[2].sequence, std::int64_t{7});
    QCOMPARE(good->records[2].unix_seconds, 12.0);
    QCOMPARE(fan_out.nextSequence(), std::int64_t{8});
  }
  void fanOutGivesThreadsOneSequence() {
    FanOutSink fan_out;
    const auto sink = std::make_shared<RecordingSink>();
    fan_out.add("sink", sink);
    {
      std::vector<std::jthread> threads;
      for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
          for (int i = 0; i < 500; ++i) fan_out.post(stepEvent(i));
        });
    }
    QCOMPARE(sink->records.size(), std::size_t{2000});
    for (std::size_t i = 0; i < 2000; ++i) QCOMPARE(sink->records[i].sequence, static_cast<std::int64_t>(i));
  }
  void queueKeepsScalarsAndMilestonesAndTheNewestPictures() {
    int num_wakes = 0;
    BoundedQueueSink queue([&] { ++num_wakes; });
    std::int64_t sequence = 0;
    for (int i = 0; i < 100; ++i) {
      queue.publish(record(sequence++, stepEvent(i)));
      queue.publish(record(sequence++, samplesEvent(i, "one_step")));
      queue.publish(record(sequence++, samplesEvent(i, "two_step")));
      queue.publish(record(sequence++, CmtMatrixReady{"cmt", i, {}, {}}));
      queue.publish(record(sequence++, CheckpointSaved{"cmt", i, "", 0, 0}));
    }
    QCOMPARE(num_wakes, 1);
    const auto events = queue.drain();
    QCOMPARE(events.size(), std::size_t{203});
    QCOMPARE(queue.numReplaced(), std::int64_t{297});
    int num_pictures = 0;
    std::int64_t last = -1;
    for (const auto& event : events) {
      QVERIFY(event.sequence > last);
      last = event.sequence;
      if (const auto* samples = std::get_if<SamplesReady>(&event.event)) {
        QCOMPARE(samples->step, std::int64_t{99});
        ++num_pictures;
      }
    }
    QCOMPARE(num_pictures, 2);
    QVERIFY(queue.drain().empty());
    queue.publish(record(sequence++, samplesEvent(100, "one_step")));
    QCOMPARE(num_wakes, 2);
    QCOMPARE(queue.drain().size(), std::size_t{1});
    queue.close();
    queue.publish(record(sequence, stepEvent(1)));
    QCOMPARE(num_wakes, 2);
  }
};
STUDIO_TEST(TestEvents)
#include "tst_events.moc"
