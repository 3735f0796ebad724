// SPDX-License-Identifier: Apache-2.0
//
// The figures of a scored run and the files they are written to. Plain values; how they are computed is in scoring.h.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/base/config/run_config.h"
#include "core/base/result.h"

namespace meanflow::training {

/// One row of the table: a way of making images.
struct SampleFigures {
  long long num_samples = 0;
  double accuracy = 0;  ///< Share of images that the judge gives their class.
  std::map<std::string, double> accuracy_by_class;
  double frechet_real = 0;            ///< Frechet distance of judge features to the training images'.
  double frechet_recon = 0;           ///< ... to the reconstructions of the training images.
  double frechet_recon_relative = 0;  ///< frechet_recon over the trace of the reconstructions' feature covariance.
  bool operator==(const SampleFigures&) const = default;
};

struct StageFigures {
  std::string stage;
  long long steps = 0;
  double wall_seconds = 0, cpu_seconds = 0;
};

struct ReportFigures {
  long long seed = 0;
  int num_workers = 1;
  double wall_seconds = 0;
  double psnr_test = 0;
  double judge_accuracy = 0;
  long long num_samples = 0;
  base::GuidanceConfig guidance;
  std::vector<StageFigures> stages;
  /// Rows in the order of the table; keys cmt_1, student_2, teacher_50_guided, control_1 ...
  std::vector<std::pair<std::string, SampleFigures>> samples;
  /// "cmt", "student", "control" -> steps -> relative squared latent error against the teacher's fine solution.
  std::map<std::string, std::map<std::string, double>> latent_error;
  /// What perfect samples would get: held-out images against training images, both real and reconstructed.
  std::map<std::string, double> floors;
  std::vector<std::string> grids;  ///< PNG files, relative to the report.
};

/// Key order and names of report.json are part of the product (README).
std::string toJson(const ReportFigures& figures);
/// The table of figures for people; `grids` are linked.
std::string toMarkdown(const ReportFigures& figures);
/// The same table in plain text for a terminal.
std::string toText(const ReportFigures& figures);

/// What a row's key means, in words: "CMT + MFD, 2 steps".
std::string rowTitle(const std::string& key);

/// Writes report.json, report.md and report.txt into `folder`.
base::Result<void> writeReport(const ReportFigures& figures, const std::filesystem::path& folder);

}  // namespace meanflow::training
