// SPDX-License-Identifier: Apache-2.0
#include "training/run/record_sinks.h"

#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

#include <map>
#include <nlohmann/json.hpp>

#include "core/base/events/event_log.h"
#include "core/base/formats/tensorboard_writer.h"
#include "core/base/run/atomic_file.h"
#include "core/base/run/run_state.h"

namespace meanflow::training {
namespace {

/// Scalars and sample grids for TensorBoard, one sub-folder (a "run" there) a stage.
class TensorboardSink final : public base::EventSink {
 public:
  explicit TensorboardSink(std::filesystem::path folder) : folder_(std::move(folder)) {}

  void publish(const base::EventRecord& record) override {
    if (const auto* e = std::get_if<base::StageStarted>(&record.event)) {
      auto* writer = open(e->stage, record.unix_seconds);
      // Points that an interrupted process wrote beyond its last checkpoint are void.
      if (writer && e->step > 0) check(writer->startSession(e->step + 1, record.unix_seconds));
    } else if (const auto* step = std::get_if<base::StepCompleted>(&record.event)) {
      if (auto* writer = open(step->stage, record.unix_seconds))
        for (const auto& scalar : step->scalars)
          check(writer->addScalar(scalar.name, scalar.value, step->step, record.unix_seconds));
    } else if (const auto* metrics = std::get_if<base::MetricsReady>(&record.event)) {
      if (auto* writer = open(metrics->stage, record.unix_seconds))
        for (const auto& scalar : metrics->metrics)
          check(writer->addScalar("metrics/" + scalar.name, scalar.value, metrics->step, record.unix_seconds));
    } else if (const auto* samples = std::get_if<base::SamplesReady>(&record.event)) {
      auto* writer = samples->grid ? open(samples->stage, record.unix_seconds) : nullptr;
      if (writer)
        check(writer->addImage("samples/" + samples->what, *samples->grid, samples->step, record.unix_seconds));
    }
  }

 private:
  base::TensorboardWriter* open(const std::string& stage, double now) {
    auto& writer = writers_[stage];
    if (!writer) {
      auto opened = base::TensorboardWriter::open(folder_ / stage, now);
      check(opened ? base::Result<void>() : base::Result<void>(opened.error()));
      writer = std::move(*opened);
    }
    return writer.get();
  }
  /// Thrown to the fan-out, which drops this sink with one warning: curves elsewhere go on, training does too.
  static void check(const base::Result<void>& result) {
    if (!result) throw std::runtime_error(result.error().message);
  }

  std::filesystem::path folder_;
  std::map<std::string, std::unique_ptr<base::TensorboardWriter>> writers_;
};

/// log.txt: rare things worth reading, and the loss line that people grep for.
class LogFileSink final : public base::EventSink {
 public:
  explicit LogFileSink(const std::filesystem::path& path)
      : logger_("run", std::make_shared<spdlog::sinks::basic_file_sink_mt>(path.string())) {
    logger_.set_pattern("[%Y-%m-%d %H:%M:%S] %l: %v");
    logger_.flush_on(spdlog::level::info);
  }

  void publish(const base::EventRecord& record) override {
    if (const auto* e = std::get_if<base::RunStarted>(&record.event))
      logger_.info("{} seed {} on {} with {} workers", e->is_resumed ? "continued," : "started,", e->seed, e->device,
                   e->num_workers);
    else if (const auto* started = std::get_if<base::StageStarted>(&record.event))
      logger_.info("stage {} from step {} of {}, {} parameters", started->stage, started->step, started->total_steps,
                   started->num_parameters);
    else if (const auto* step = std::get_if<base::StepCompleted>(&record.event))
      logger_.info("{} (step={:07d}) {}", step->stage, step->step, scalarText(*step));
    else if (const auto* state = std::get_if<base::StateChanged>(&record.event))
      logger_.info("state {}", base::toString(state->state));
    else if (const auto* saved = std::get_if<base::CheckpointSaved>(&record.event))
      logger_.info("saved {} ({} bytes in {:.2f} s)", saved->path, saved->bytes, saved->seconds);
    else if (const auto* finished = std::get_if<base::StageFinished>(&record.event))
      logger_.info("stage {} finished at step {}: {:.1f} s wall, {:.1f} s CPU", finished->stage, finished->step,
                   finished->wall_seconds, finished->cpu_seconds);
    else if (const auto* changed = std::get_if<base::SettingChanged>(&record.event))
      logger_.info("{} step {}: {} changed from {} to {}", changed->stage, changed->step, changed->key,
                   changed->old_value, changed->new_value);
    else if (const auto* message = std::get_if<base::LogMessage>(&record.event))
      logger_.log(spdlog::level::from_str(message->level), "{}", message->text);
    else if (const auto* failed = std::get_if<base::RunFailed>(&record.event))
      logger_.error("{}", failed->what);
  }

 private:
  static std::string scalarText(const base::StepCompleted& step) {
    std::string text;
    for (const auto& scalar : step.scalars)
      text += scalar.name == "loss" ? fmt::format("Train Loss: {:.4f}", scalar.value)
                                    : fmt::format(", {}: {:.4g}", scalar.name, scalar.value);
    return text;
  }
  spdlog::logger logger_;
};

}  // namespace

std::shared_ptr<base::FanOutSink> openRecord(const base::RunFolder& folder,
                                             const std::vector<std::shared_ptr<base::EventSink>>& more) {
  auto log = base::EventLogWriter::open(folder.events());
  if (!log) throw std::runtime_error(log.error().message);
  const std::shared_ptr<base::EventLogWriter> writer = std::move(*log);
  auto events = std::make_shared<base::FanOutSink>(writer->nextSequence());
  events->add("events.jsonl", writer);
  events->add("TensorBoard", std::make_shared<TensorboardSink>(folder.tensorboard()));
  events->add("log.txt", std::make_shared<LogFileSink>(folder.log()));
  for (std::size_t i = 0; i < more.size(); ++i) events->add("reader " + std::to_string(i), more[i]);
  return events;
}

void writeClassNames(const base::RunFolder& folder, const std::vector<std::string>& names) {
  const auto written = base::writeFileAtomically(folder.root() / "classes.json", nlohmann::json(names).dump() + "\n");
  if (!written) throw std::runtime_error(written.error().message);
}

base::Result<std::vector<std::string>> readClassNames(const base::RunFolder& folder) {
  const auto path = folder.root() / "classes.json";
  const auto text = base::readFile(path, 16 << 20);
  if (!text)
    return base::Error{"the run has no class names yet (" + text.error().message + "); it has to be started once"};
  const auto json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_array() || json.empty())
    return base::Error{path.string() + " is damaged: expected a list of class names"};
  std::vector<std::string> names;
  for (const auto& name : json) {
    if (!name.is_string()) return base::Error{path.string() + " is damaged: a class name is not text"};
    names.push_back(name.get<std::string>());
  }
  return names;
}

}  // namespace meanflow::training
