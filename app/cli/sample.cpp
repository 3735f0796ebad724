// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "app/cli/commands.h"
#include "app/cli/run_in_terminal.h"
#include "core/base/config/config_io.h"
#include "core/base/formats/png.h"
#include "core/device/device.h"
#include "training/sampling/generator.h"

namespace meanflow::app {
namespace {

struct SampleOptions {
  base::SampleRequest request;
  std::vector<std::string> classes, overrides;
  std::int64_t count = 1, first = 0, columns = 0, nfe = 0;
  std::optional<double> guidance, guidance_from, guidance_to;
  std::optional<std::uint64_t> to_seed;
  std::optional<std::string> to_class;
  std::int64_t between = 8;
  int scale = 1;
  std::string device = "cpu", out;
  bool is_json = false, is_raw = false, is_teacher = false, is_student = false;
};

/// What was not asked for on the command line is as `sampling` of the run's configuration has it.
base::Result<void> completeRequest(SampleOptions& options, base::RunConfig config) {
  for (const auto& assignment : options.overrides) {
    if (!assignment.starts_with("sampling."))
      return base::Error{"'" + assignment + "': only keys of `sampling` can be set here, e.g. sampling.method=heun2",
                         base::ErrorKind::kUsage};
    if (auto set = base::applyOverride(config, assignment); !set) return set.error();
  }
  const auto& sampling = config.sampling;
  auto& request = options.request;
  request.solver = sampling;
  request.use_teacher = options.is_teacher || (!options.is_student && sampling.network == "teacher");
  request.nfe = static_cast<int>(options.nfe > 0 ? options.nfe : request.use_teacher ? sampling.steps : sampling.nfe);
  request.guidance_scale = options.guidance.value_or(sampling.guidance.scale);
  request.guidance_t_min = options.guidance_from.value_or(sampling.guidance.t_min);
  request.guidance_t_max = options.guidance_to.value_or(sampling.guidance.t_max);
  request.use_ema = !options.is_raw;
  return {};
}

bool isInterpolation(const SampleOptions& options) { return options.to_seed || options.to_class; }

/// Everything needed to make the picture again travels inside it.
base::PngTexts pngTexts(const SampleOptions& options) {
  const auto& request = options.request;
  std::string classes;
  for (const auto label : request.labels) classes += (classes.empty() ? "" : ",") + std::to_string(label);
  base::PngTexts texts = {{"run", std::filesystem::path(request.run_folder).filename().string()},
                          {"classes", classes},
                          {"seed", std::to_string(request.seed)},
                          {"first_noise", std::to_string(options.first)},
                          {"nfe", std::to_string(request.nfe)},
                          {"model", request.use_teacher ? "teacher" : "student"},
                          {"weights", request.use_ema ? "ema" : "model"},
                          {"checkpoint", request.checkpoint},
                          {"truncation", fmt::format("{:g}", request.noise_scale)}};
  if (isInterpolation(options)) {
    texts.emplace("between", std::to_string(options.between));
    if (options.to_seed) texts.emplace("towards_seed", std::to_string(*options.to_seed));
    if (options.to_class) texts.emplace("towards_class", std::to_string(request.blends.front().label));
  }
  if (!request.use_teacher) return texts;
  texts.emplace("guidance_scale", fmt::format("{:g}", request.guidance_scale));
  texts.emplace("guidance_interval", fmt::format("{:g} {:g}", request.guidance_t_min, request.guidance_t_max));
  texts.emplace("solver", request.solver->mode + " " + request.solver->method);
  return texts;
}

/// A class by number or by name.
base::Result<std::int64_t> classNumber(const std::string& text, const std::vector<std::string>& names) {
  const auto found = std::find(names.begin(), names.end(), text);
  if (found != names.end()) return static_cast<std::int64_t>(found - names.begin());
  try {
    std::size_t used = 0;
    const auto number = std::stoll(text, &used);
    if (used == text.size()) return static_cast<std::int64_t>(number);
  } catch (const std::exception&) {
  }
  std::string known;
  for (std::size_t i = 0; i < names.size() && i < 12; ++i) known += (i ? ", " : "") + names[i];
  return base::Error{"'" + text + "' is neither a class number nor a class name; names are " + known,
                     base::ErrorKind::kUsage};
}

/// The images of one class: one a noise, or as many from each noise on as lie on its way to another seed or class.
void addImages(SampleOptions& options, std::int64_t label, std::int64_t to_label) {
  auto& request = options.request;
  for (std::int64_t i = 0; i < options.count; ++i) {
    const auto noise = static_cast<std::uint64_t>(options.first + i);
    const std::int64_t num_images = isInterpolation(options) ? options.between : 1;
    for (std::int64_t k = 0; k < num_images; ++k) {
      request.labels.push_back(label);
      request.noise_indices.push_back(noise);
      if (isInterpolation(options))
        request.blends.push_back({.share = static_cast<double>(k) / static_cast<double>(options.between - 1),
                                  .seed = options.to_seed.value_or(request.seed),
                                  .noise_index = noise,
                                  .label = to_label});
    }
  }
}

int sample(SampleOptions& options) {
  core::initialiseTorch();
  auto opened = training::Generator::open(options.request.run_folder, core::resolveDevice(options.device));
  if (!opened) return reportError(opened.error());
  auto& generator = **opened;
  if (const auto completed = completeRequest(options, generator.config()); !completed)
    return reportError(completed.error());
  if (options.classes.empty())
    for (std::size_t i = 0; i < generator.classNames().size(); ++i) options.classes.push_back(std::to_string(i));
  std::int64_t to_label = -1;
  if (options.to_class) {
    const auto label = classNumber(*options.to_class, generator.classNames());
    if (!label) return reportError(label.error());
    to_label = *label;
  }
  for (const auto& text : options.classes) {
    const auto label = classNumber(text, generator.classNames());
    if (!label) return reportError(label.error());
    addImages(options, *label, to_label);
  }
  if (const auto checked = generator.check(options.request); !checked) return reportError(checked.error());

  const auto usual = isInterpolation(options) ? options.between : options.count;
  const auto columns = static_cast<int>(options.columns > 0 ? options.columns : usual);
  const auto rows = (static_cast<int>(options.request.labels.size()) + columns - 1) / columns;
  base::Image8 grid;
  try {
    generator.make(options.request, [&](int index, const base::Image8& image) {
      const int w = image.width * options.scale, h = image.height * options.scale;
      if (grid.empty()) grid = base::Image8(w * columns, h * rows, 255);
      const int x0 = (index % columns) * w, y0 = (index / columns) * h;
      for (int y = 0; y < h; ++y)
        for (int x = 0; x < w; ++x)
          std::copy_n(image.at(x / options.scale, y / options.scale), 3, grid.at(x0 + x, y0 + y));
    });
  } catch (const std::exception& error) {
    return reportError({error.what()});
  }
  const auto written = base::writePng(options.out, grid, pngTexts(options));
  if (!written) return reportError(written.error());
  if (options.is_json)
    std::cout << nlohmann::json{{"path", options.out},
                                {"images", options.request.labels.size()},
                                {"nfe", options.request.nfe}}
                     .dump()
              << "\n";
  else
    std::cout << options.out << "\n";
  return kDone;
}

}  // namespace

void addSample(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("sample", "Make images with the newest weights of a run, or with one checkpoint");
  auto options = std::make_shared<SampleOptions>();
  command->add_option("RUN", options->request.run_folder, "Run folder")->required();
  command->add_option("SETTINGS", options->overrides,
                      "KEY=VALUE: keys of `sampling`, e.g. sampling.method=dopri5 sampling.mode=sde");
  command
      ->add_option("--class", options->classes,
                   "Class number or name; several make a grid with one row each (default: all)")
      ->delimiter(',');
  command->add_option("--count", options->count, "Images a class")->check(CLI::Range(1, 10000));
  command->add_option("--first", options->first, "Number of the first image's noise")->check(CLI::NonNegativeNumber);
  command->add_option("--seed", options->request.seed,
                      "Seed of the noise; image k of a seed is the same in every grid");
  command
      ->add_option("--truncation", options->request.noise_scale,
                   "Factor on the noise: 1 as trained, less for tamer and more alike images")
      ->check(CLI::Range(0.0, 1.0));
  command->add_option("--to-seed", options->to_seed,
                      "Interpolate: from each noise, on the sphere, to the one of this seed");
  command->add_option("--to-class", options->to_class,
                      "Interpolate: from each class to this one, by mixing the label embeddings");
  command->add_option("--between", options->between, "Images of an interpolation, both ends included")
      ->check(CLI::Range(2, 64));
  command
      ->add_option("--nfe", options->nfe,
                   "Network evaluations of the student (1, 2, 4, ...), or solver steps of the teacher (default: the "
                   "configuration's sampling.nfe, sampling.steps)")
      ->check(CLI::Range(1, 10000));
  auto* teacher =
      command->add_flag("--teacher", options->is_teacher, "Solve the teacher's equation (sampling.mode, .method)");
  command->add_flag("--student", options->is_student, "The student, where sampling.network says teacher")
      ->excludes(teacher);
  command->add_option("--guidance", options->guidance, "Guidance scale of the teacher (default: sampling.guidance)");
  command->add_option("--guidance-from", options->guidance_from, "Time from which the teacher is guided")
      ->check(CLI::Range(0.0, 1.0));
  command->add_option("--guidance-to", options->guidance_to, "Time up to which the teacher is guided")
      ->check(CLI::Range(0.0, 1.0));
  command->add_option("--checkpoint", options->request.checkpoint, "STAGE/checkpoints/step_N inside the run folder");
  command->add_flag("--raw", options->is_raw, "The weights themselves instead of their average (EMA)");
  command->add_option("--scale", options->scale, "Enlarge pixels")->check(CLI::Range(1, 64));
  command->add_option("--columns", options->columns, "Images in a row of the grid")->check(CLI::PositiveNumber);
  command->add_option("--device", options->device, "cpu, cuda, cuda:N or auto");
  command->add_option("--out", options->out, "PNG file to write; settings are kept in its text")->required();
  command->add_flag("--json", options->is_json, "Print what was made as JSON");
  command->callback([&action, options] { action = [options] { return sample(*options); }; });
}

}  // namespace meanflow::app
