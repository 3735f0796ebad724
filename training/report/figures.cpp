// SPDX-License-Identifier: Apache-2.0
#include "training/report/figures.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/run/atomic_file.h"

namespace meanflow::training {
namespace {

using Json = nlohmann::ordered_json;

const std::map<std::string, std::string>& rowTitles() {
  static const std::map<std::string, std::string> titles = {{"cmt_1", "CMT, 1 step"},
                                                            {"cmt_2", "CMT, 2 steps"},
                                                            {"student_1", "CMT + MFD, 1 step"},
                                                            {"student_2", "CMT + MFD, 2 steps"},
                                                            {"student_4", "CMT + MFD, 4 steps"},
                                                            {"control_1", "control: more CMT, 1 step"},
                                                            {"control_2", "control: more CMT, 2 steps"},
                                                            {"reconstruction", "reconstructions of training images"}};
  return titles;
}

}  // namespace

std::string rowTitle(const std::string& key) {
  const auto found = rowTitles().find(key);
  if (found != rowTitles().end()) return found->second;
  if (key.rfind("teacher_", 0) != 0) return key;
  const bool is_guided = key.ends_with("_guided");
  const auto steps = key.substr(8, key.size() - 8 - (is_guided ? 7 : 0));
  return "teacher, " + steps + (is_guided ? " steps, guided" : " steps, unguided");
}

namespace {

std::pair<std::string, double> worstClass(const SampleFigures& row) {
  std::pair<std::string, double> worst = {"", 2};
  for (const auto& [name, value] : row.accuracy_by_class)
    if (value < worst.second) worst = {name, value};
  return worst;
}

/// Title with the number of images where it is not the table's: distances of fewer images come out a little larger.
std::string titleWithCount(const std::string& key, const SampleFigures& row, long long usual) {
  return rowTitle(key) + (row.num_samples == usual ? "" : fmt::format(" (of {})", row.num_samples));
}

std::string summaryLine(const ReportFigures& f) {
  return fmt::format(
      "seed {}, {} workers, {:.0f} s in all; test PSNR {:.2f} dB; judge's held-out accuracy {:.3f}; {} images a row",
      f.seed, f.num_workers, f.wall_seconds, f.psnr_test, f.judge_accuracy, f.num_samples);
}

}  // namespace

std::string toJson(const ReportFigures& f) {
  Json root;
  root["seed"] = f.seed;
  root["num_workers"] = f.num_workers;
  root["wall_seconds"] = f.wall_seconds;
  root["psnr_test"] = f.psnr_test;
  root["judge_accuracy"] = f.judge_accuracy;
  root["num_samples"] = f.num_samples;
  root["guidance_scale"] = f.guidance.scale;
  root["guidance_interval"] = {f.guidance.t_min, f.guidance.t_max};
  root["stages"] = Json::array();
  for (const auto& s : f.stages)
    root["stages"].push_back(
        {{"stage", s.stage}, {"steps", s.steps}, {"wall_seconds", s.wall_seconds}, {"cpu_seconds", s.cpu_seconds}});
  root["samples"] = Json::object();
  for (const auto& [key, row] : f.samples)
    root["samples"][key] = {{"num_samples", row.num_samples},
                            {"accuracy", row.accuracy},
                            {"accuracy_by_class", row.accuracy_by_class},
                            {"frechet_real", row.frechet_real},
                            {"frechet_recon", row.frechet_recon},
                            {"frechet_recon_relative", row.frechet_recon_relative}};
  root["latent_error"] = f.latent_error;
  root["floors"] = f.floors;
  root["grids"] = f.grids;
  return root.dump(2) + "\n";
}

std::string toMarkdown(const ReportFigures& f) {
  std::string out = fmt::format("# Report\n\n{}.\n\n", summaryLine(f));
  out += "| stage | steps | wall s | CPU s |\n| --- | ---: | ---: | ---: |\n";
  for (const auto& s : f.stages)
    out += fmt::format("| {} | {} | {:.1f} | {:.1f} |\n", s.stage, s.steps, s.wall_seconds, s.cpu_seconds);
  out +=
      "\n| images from | accuracy | worst class | distance to real | to reconstructions | relative |\n| --- | ---: | "
      "--- | ---: | ---: | ---: |\n";
  for (const auto& [key, row] : f.samples) {
    const auto [name, value] = worstClass(row);
    out +=
        fmt::format("| {} | {:.3f} | {} {:.2f} | {:.3f} | {:.3f} | {:.4f} |\n", titleWithCount(key, row, f.num_samples),
                    row.accuracy, name, value, row.frechet_real, row.frechet_recon, row.frechet_recon_relative);
  }
  out +=
      "\nDistance: Fréchet distance of the judge's features, against the training images (real) and against their "
      "reconstructions; relative: divided by the trace of the reconstructions' feature covariance. Rows of fewer "
      "images "
      "(\"of N\") have distances that are larger by chance alone. Floors (what "
      "held-out "
      "images get):";
  for (const auto& [name, value] : f.floors) out += fmt::format(" {} {:.4f};", name, value);
  out.back() = '.';
  out += fmt::format(
      "\n\nLatent error: squared distance to the teacher's fine solution (guidance scale {} for t from {} to {}) over "
      "its squared norm, same noises.\n\n",
      f.guidance.scale, f.guidance.t_min, f.guidance.t_max);
  out += "| weights | 1 step | 2 steps | 4 steps |\n| --- | ---: | ---: | ---: |\n";
  for (const auto& [name, by_steps] : f.latent_error) {
    out += fmt::format("| {} |", name);
    for (const char* steps : {"1", "2", "4"})
      out += by_steps.contains(steps) ? fmt::format(" {:.4f} |", by_steps.at(steps)) : std::string(" |");
    out += "\n";
  }
  out += "\n";
  for (const auto& path : f.grids) out += fmt::format("![{}]({})\n\n", path, path);
  return out;
}

std::string toText(const ReportFigures& f) {
  std::string out = summaryLine(f) + "\n\n";
  for (const auto& s : f.stages)
    out += fmt::format("  {:<12} {:>6} steps  {:>7.1f} s wall  {:>7.1f} s CPU\n", s.stage, s.steps, s.wall_seconds,
                       s.cpu_seconds);
  out += fmt::format("\n  {:<36} {:>8}  {:<14} {:>8} {:>8} {:>9}\n", "images from", "accuracy", "worst class",
                     "to real", "to recon", "relative");
  for (const auto& [key, row] : f.samples) {
    const auto [name, value] = worstClass(row);
    out += fmt::format("  {:<36} {:>8.3f}  {:<14} {:>8.3f} {:>8.3f} {:>9.4f}\n",
                       titleWithCount(key, row, f.num_samples), row.accuracy, fmt::format("{} {:.2f}", name, value),
                       row.frechet_real, row.frechet_recon, row.frechet_recon_relative);
  }
  out += "\n  floors:";
  for (const auto& [name, value] : f.floors) out += fmt::format(" {} {:.4f} ", name, value);
  out += "\n  latent error (1, 2, 4 steps):";
  for (const auto& [name, by_steps] : f.latent_error) {
    out += fmt::format("  {}", name);
    for (const auto& [steps, value] : by_steps) out += fmt::format(" {:.4f}", value);
  }
  return out + "\n";
}

base::Result<void> writeReport(const ReportFigures& figures, const std::filesystem::path& folder) {
  if (auto written = base::writeFileAtomically(folder / "report.json", toJson(figures)); !written) return written;
  if (auto written = base::writeFileAtomically(folder / "report.txt", toText(figures)); !written) return written;
  return base::writeFileAtomically(folder / "report.md", toMarkdown(figures));
}

}  // namespace meanflow::training
