// SPDX-License-Identifier: Apache-2.0
#include "training/exchange/export_checkpoint.h"

#include <spdlog/fmt/fmt.h>
#include <torch/torch.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/base/config/config_io.h"
#include "core/base/formats/numpy_file.h"
#include "core/base/formats/pt_writer.h"
#include "core/base/run/atomic_file.h"
#include "core/base/run/run_folder.h"
#include "core/checkpoint/checkpoint_contents.h"
#include "training/exchange/hub_folder.h"
#include "training/exchange/model_config.h"

namespace meanflow::training {
namespace {

namespace fs = std::filesystem;
constexpr const char* kStatistics = "statistics";

std::span<const std::byte> bytesOf(const torch::Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()};
}

/// A stage's files, opened, and which of their tensors are wanted.
struct Source {
  core::Checkpoint checkpoint;
  core::RecognisedModel model;
  TensorOrigins ema, raw;
  std::int64_t step = 0;
};

std::string chooseStage(const base::RunFolder& folder) {
  for (const char* stage : {"mean_flow", "cmt", "teacher", "decoder", "encoder"})
    if (!folder.listCheckpoints(stage).empty()) return stage;
  return {};
}

base::Result<base::CheckpointEntry> chooseCheckpoint(const base::RunFolder& folder, const std::string& stage,
                                                     std::int64_t step) {
  const auto entries = folder.listCheckpoints(stage);
  const auto fail = [&](const std::string& what) {
    return base::Error{folder.root().string() + " " + what, base::ErrorKind::kUsage};
  };
  if (entries.empty()) return fail("has no checkpoint of stage " + stage);
  if (step < 0) return entries.back();
  std::string known;
  for (const auto& entry : entries) {
    if (entry.step == step) return entry;
    known += (known.empty() ? "" : ", ") + std::to_string(entry.step);
  }
  return fail(fmt::format("has no checkpoint of stage {} at step {}; there are {}", stage, step, known));
}

base::Result<Source> openStage(const base::RunFolder& folder, const base::RunConfig& config, const std::string& stage,
                               std::int64_t step) {
  const bool is_statistics = stage == kStatistics;
  fs::path path = folder.stage("decoder") / "latent_statistics.safetensors";
  std::error_code code;
  if (is_statistics && !fs::exists(path, code))
    return base::Error{folder.root().string() + " has no latent statistics; the decoder stage measures them at its end",
                       base::ErrorKind::kUsage};
  if (!is_statistics) {
    const auto entry = chooseCheckpoint(folder, stage, step);
    if (!entry) return entry.error();
    path = entry->path, step = entry->step;
  }
  auto checkpoint = core::Checkpoint::open(path.string());
  if (!checkpoint) return checkpoint.error();
  auto contents = core::contentsOf(*checkpoint);
  if (contents && !contents->parts.empty())  // once more, with what the configuration knows
    contents = core::contentsOf(*checkpoint, knownSizes(config, {}, contents->parts.front().model));
  if (!contents) return contents.error();
  if (contents->parts.empty()) return base::Error{fmt::format("{}: holds {}", path.string(), contents->description())};
  const auto& part = contents->parts.front();
  Source source{std::move(*checkpoint), part.model, {}, {}, std::max<std::int64_t>(step, 0)};
  for (const auto& [name, i] : part.tensors(core::WeightSet::kAverage)) source.ema.emplace(name, i);
  for (const auto& [name, i] : part.tensors(core::WeightSet::kRaw)) source.raw.emplace(name, i);
  return source;
}

base::Result<void> writePt(const fs::path& target, const Source& source, ExportedWeights weights) {
  std::vector<PlannedTensor> order;
  const auto dictOf = [&](const TensorOrigins& origins) {
    base::PtItem::Dict dict;
    for (auto& planned : plannedTensors(source.checkpoint, origins)) {
      dict.push_back({planned.name, base::TensorSpec{planned.name, planned.dtype, planned.shape}});
      order.push_back(std::move(planned));
    }
    return dict;
  };
  base::PtItem::Dict root;
  if (weights == ExportedWeights::kBoth) {
    root.push_back({"model", dictOf(source.raw)});
    root.push_back({"ema", dictOf(source.ema)});
    root.push_back({"train_steps", source.step});
  } else {
    root = dictOf(weights == ExportedWeights::kEma ? source.ema : source.raw);
  }
  auto writer = base::PtWriter::create(target, root);
  if (!writer) return writer.error();
  for (const auto& planned : order) {
    const auto tensor = fetch(source.checkpoint, planned);
    if (!tensor) return tensor.error();
    if (auto done = writer->append(bytesOf(*tensor)); !done) return done;
  }
  return writer->commit();
}

base::Result<void> writeNpz(const fs::path& target, const Source& source, const TensorOrigins& origins) {
  const auto order = plannedTensors(source.checkpoint, origins);
  std::vector<base::TensorSpec> specs;
  for (const auto& planned : order)
    specs.push_back({planned.name, planned.dtype == "BF16" ? "F32" : planned.dtype, planned.shape});
  auto writer = base::NpzWriter::create(target, std::move(specs));
  if (!writer) return writer.error();
  for (const auto& planned : order) {
    auto tensor = fetch(source.checkpoint, planned);
    if (!tensor) return tensor.error();
    const auto straight = tensor->scalar_type() == torch::kBFloat16 ? tensor->to(torch::kFloat32) : *tensor;
    if (auto done = writer->append(bytesOf(straight)); !done) return done;
  }
  return writer->commit();
}

base::Result<void> writeHub(const ExportRequest& request, const Source& source, const TensorOrigins& origins,
                            const std::string& run_name, ExportReport& report) {
  auto folder = base::AtomicFolder::create(request.out);
  if (!folder) return folder.error();
  auto files = writeHubWeights(folder->path(), source.checkpoint, origins, request.shard_bytes);
  if (!files) return files.error();
  for (const auto& [name, text] : {std::pair<const char*, std::string>{"config.json", hubConfig(source.model)},
                                   {"README.md", hubReadme(source.model, run_name, report.stage, report.step)}}) {
    if (auto written = base::writeFileAtomically(folder->path() / name, text); !written) return written;
    files->push_back(name);
  }
  if (auto committed = folder->commit(); !committed) return committed;
  for (const auto& file : *files) report.files.push_back((fs::path(request.out) / file).string());
  return {};
}

base::Result<void> checkTarget(const ExportRequest& request) {
  std::error_code code;
  if (request.weights == ExportedWeights::kBoth && request.format != ExportFormat::kPt)
    return base::Error{"both sets of weights go into one file only as --format pt; export ema and model apart",
                       base::ErrorKind::kUsage};
  if (fs::exists(request.out, code) && !request.force)
    return base::Error{request.out + " exists; --force replaces it", base::ErrorKind::kUsage};
  const bool is_folder = fs::is_directory(request.out, code);
  // A run folder or a home folder named by mistake must not vanish.
  if (is_folder && (request.format != ExportFormat::kHub || !fs::exists(fs::path(request.out) / "config.json", code)))
    return base::Error{request.out + " is a folder that no export has made; choose another name",
                       base::ErrorKind::kUsage};
  const auto parent = fs::absolute(request.out).parent_path();
  fs::create_directories(parent, code);
  if (code) return base::Error{fmt::format("cannot make the folder {}: {}", parent.string(), code.message())};
  return {};
}

}  // namespace

nlohmann::ordered_json toJson(const ExportReport& report) {
  return {{"out", report.out},
          {"stage", report.stage},
          {"step", report.step},
          {"description", report.description},
          {"num_tensors", report.num_tensors},
          {"num_bytes", report.num_bytes},
          {"files", report.files},
          {"notes", report.notes}};
}

std::optional<ExportFormat> exportFormatFromName(std::string_view name) {
  if (name == "safetensors") return ExportFormat::kSafetensors;
  if (name == "pt") return ExportFormat::kPt;
  if (name == "npz") return ExportFormat::kNpz;
  if (name == "hf") return ExportFormat::kHub;
  return std::nullopt;
}

std::optional<ExportedWeights> exportedWeightsFromName(std::string_view name) {
  if (name == "ema") return ExportedWeights::kEma;
  if (name == "model") return ExportedWeights::kModel;
  if (name == "both") return ExportedWeights::kBoth;
  return std::nullopt;
}

base::Result<ExportReport> exportCheckpoint(const ExportRequest& request) {
  const auto folder = base::RunFolder::open(request.run);
  if (!folder) return folder.error();
  const auto config = folder->readConfig();
  if (!config) return config.error();
  ExportReport report;
  report.out = request.out;
  report.stage = request.stage.empty() ? chooseStage(*folder) : request.stage;
  if (report.stage.empty())
    return base::Error{request.run + " has no checkpoint of any stage yet", base::ErrorKind::kUsage};
  auto source = openStage(*folder, *config, report.stage, request.step);
  if (!source) return source.error();
  if (auto usable = checkTarget(request); !usable) return usable.error();

  const auto& origins = request.weights == ExportedWeights::kModel ? source->raw : source->ema;
  report.step = source->step;
  report.description = source->model.description();
  report.num_tensors = static_cast<std::int64_t>(origins.size());
  if (const auto* decoder = std::get_if<core::VitDecoderOptions>(&source->model.sizes);
      decoder != nullptr && decoder->output_head == "conv")
    report.notes.push_back("conv_head.* is this program's own; the official decoder loads the rest");
  if (source->model.kind == core::ModelKind::kOwnEncoder)
    report.notes.push_back("this program's own encoder has no official counterpart");
  auto written = base::Result<void>();
  switch (request.format) {
    case ExportFormat::kSafetensors:
      written = writeTensors(request.out, source->checkpoint, origins, Finite::kNotChecked, {{"format", "pt"}});
      break;
    case ExportFormat::kPt:
      written = writePt(request.out, *source, request.weights);
      break;
    case ExportFormat::kNpz:
      written = writeNpz(request.out, *source, origins);
      break;
    case ExportFormat::kHub:
      written = writeHub(request, *source, origins, folder->name(), report);
      break;
  }
  if (!written) return written.error();
  if (report.files.empty()) report.files.push_back(request.out);
  std::error_code code;
  for (const auto& file : report.files) report.num_bytes += fs::file_size(file, code);
  return report;
}

}  // namespace meanflow::training
