// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <ATen/Parallel.h>
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "app/cli/commands.h"
#include "app/cli/run_in_terminal.h"
#include "core/device/device.h"
#include "training/verify/verify_run.h"

namespace meanflow::app {
namespace {

using Json = nlohmann::ordered_json;
using training::CaseStatus;

struct VerifyArguments {
  std::string folder, device = "cpu";
  std::vector<std::string> dtypes = {"fp32", "fp64"};
  int jobs = 0;
  bool is_json = false, skip_unknown = false, is_verbose = false;
};

Json failuresOf(const training::CaseReport& report) {
  auto failures = Json::array();
  for (const auto& c : report.comparisons) {
    if (c.pass) continue;
    Json entry = {{"tensor", c.tensor}, {"dtype", training::columnName(c.column)}};
    if (c.note.empty()) {
      entry["max_rel_error"] = c.max_rel_error;
      entry["max_abs_error"] = c.max_abs_error;
      entry["rtol"] = c.tolerance.rtol;
      entry["atol"] = c.tolerance.atol;
    } else {
      entry["note"] = c.note;
    }
    failures.push_back(std::move(entry));
  }
  return failures;
}

Json jsonOf(const training::CaseReport& report) {
  Json entry = {{"case", report.case_name}, {"path", report.path}, {"status", training::toString(report.status)}};
  if (!report.error.empty()) entry["error"] = report.error;
  const auto* rel = report.worstRelative();
  const auto* abs = report.worstAbsolute();
  if (!rel) return entry;
  entry["max_rel_error"] = rel->max_rel_error;
  entry["max_rel_error_in"] = rel->tensor;
  entry["max_abs_error"] = abs->max_abs_error;
  entry["max_abs_error_in"] = abs->tensor;
  const auto* closest = report.closestToTolerance();
  entry["max_tolerance_share"] = closest->tolerance_share;
  entry["max_tolerance_share_in"] = closest->tensor;
  entry["num_compared"] = report.comparisons.size();
  entry["failures"] = failuresOf(report);
  entry["not_compared"] = report.unchecked;
  return entry;
}

base::Result<training::VerifyOptions> parsed(const VerifyArguments& options) {
  training::VerifyOptions result{.device = torch::kCPU, .columns = {}};
  for (const auto& name : options.dtypes) {
    const auto column = training::columnFromName(name);
    if (!column) return column.error();
    result.columns.push_back(*column);
  }
  const bool is_known = options.device == "cpu" || options.device == "auto" || options.device.rfind("cuda", 0) == 0;
  try {
    result.device = core::resolveDevice(options.device);
  } catch (const c10::Error&) {  // "cuda:one"
    return base::Error{"device '" + options.device + "' is unknown; use auto, cpu, cuda or cuda:N",
                       base::ErrorKind::kUsage};
  } catch (const std::exception& error) {
    return base::Error{error.what(), is_known ? base::ErrorKind::kFailed : base::ErrorKind::kUsage};
  }
  return result;
}

int verify(const VerifyArguments& options) {
  core::initialiseTorch();
  const auto settings = parsed(options);
  if (!settings) return reportError(settings.error());
  const auto folders = training::findCases(options.folder);
  if (!folders) return reportError(folders.error());
  // Toy sizes: cases side by side use cores better than threads inside one.
  at::set_num_threads(1);
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const int jobs = options.jobs > 0 ? options.jobs : settings->device.is_cuda() ? 1 : std::min(cores, 8);
  auto cases = Json::array();
  const auto totals = training::verifyAll(*folders, *settings, jobs, [&](const training::CaseReport& report) {
    if (options.is_json) {
      cases.push_back(jsonOf(report));
    } else {
      std::cout << (options.is_verbose ? report.summary() : report.line()) << std::endl;
      if (options.is_verbose)
        for (const auto& name : report.unchecked) std::cout << "  not compared: " << name << "\n";
    }
  });
  if (options.is_json) {
    Json dtypes = options.dtypes;
    const Json root = {{"folder", options.folder},
                       {"device", settings->device.str()},
                       {"dtypes", dtypes},
                       {"cases", cases},
                       {"total",
                        {{"cases", folders->size()},
                         {"pass", totals.num_pass},
                         {"fail", totals.num_fail},
                         {"unknown", totals.num_unknown},
                         {"skipped", totals.num_skipped}}}};
    std::cout << root.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    std::cout << fmt::format(
        "{} cases: {} passed, {} failed, {} of unknown kind{}{}\n", folders->size(), totals.num_pass, totals.num_fail,
        totals.num_unknown, options.skip_unknown && totals.num_unknown > 0 ? " (left out)" : "",
        totals.num_skipped > 0 ? fmt::format(", {} without these dtypes", totals.num_skipped) : "");
  }
  const bool is_bad = totals.num_fail > 0 || (totals.num_unknown > 0 && !options.skip_unknown);
  return is_bad ? kFailed : kDone;
}

}  // namespace

void addVerify(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("verify", "Recompute golden cases of the reference with this build, and compare");
  auto options = std::make_shared<VerifyArguments>();
  command->add_option("DIR", options->folder, "Searched with everything below it for folders with a case.json")
      ->required();
  command->add_option("--device", options->device, "cpu, cuda, cuda:N or auto");
  command
      ->add_option("--dtype", options->dtypes,
                   "Arithmetic to check, one or several of fp32, fp64, tf32, bf16; fp64 runs where a case holds "
                   "float64 tensors (default: fp32,fp64)")
      ->delimiter(',');
  command->add_option("--jobs", options->jobs, "Cases at a time (default: one a core)")->check(CLI::Range(1, 64));
  command->add_flag("--skip-unknown", options->skip_unknown,
                    "Cases of a kind that this build does not know are no failure");
  command->add_flag("--verbose", options->is_verbose,
                    "Also a line for every tensor outside its tolerance and every one not compared");
  command->add_flag("--json", options->is_json, "The result as JSON on stdout");
  command->callback([&action, options] { action = [options] { return verify(*options); }; });
}

}  // namespace meanflow::app
