// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <string>

#include "core/base/events/fan_out_sink.h"
#include "core/data/dataset.h"
#include "core/diagnostics/jump_map.h"
#include "training/optim/named_tensors.h"
#include "training/stages/networks.h"

namespace meanflow::training {

/// Number of the noise of a grid cell: live grids, reports and the studio agree on it.
constexpr std::uint64_t gridNoiseIndex(std::int64_t label, std::int64_t column) {
  return static_cast<std::uint64_t>(label) * 1000 + static_cast<std::uint64_t>(column);
}

/// Makes the live pictures of a run on the sampling worker's thread: reconstructions while the autoencoder trains,
/// teacher samples, one- and two-step samples of the student, the teacher's trajectory with the student's jumps, the
/// CMT matrix. Has its own copies of all networks. The noise of a cell is the same at every step, (seed, class * 1000 +
/// column).
class LivePainter {
 public:
  LivePainter(base::RunConfig config, const base::RunFolder& folder, std::shared_ptr<const core::ImageDataset> data,
              base::FanOutSink& events);
  ~LivePainter();

  /// Share of training time that watching may cost.
  double budget() const { return config_.watch.budget; }
  /// Paints what belongs to `stage` from a snapshot of its averaged weights. `is_last`: the stage's end, where more is
  /// made.
  void paint(const std::string& stage, std::int64_t step, bool is_last, const NamedTensors& averages);

 private:
  void paintEncoder(std::int64_t step, const NamedTensors& averages);
  void paintDecoder(std::int64_t step, const NamedTensors& averages);
  void paintTeacher(std::int64_t step, bool is_last, const NamedTensors& averages);
  void paintStudent(const std::string& stage, std::int64_t step, bool is_last, const NamedTensors& averages);
  void paintTrajectory(const std::string& stage, std::int64_t step, std::int64_t label);
  void paintCmtMatrix(const std::string& stage, std::int64_t step);

  std::int64_t numRows() const;
  torch::Tensor labels(std::int64_t columns) const;      ///< [rows * columns], row by row.
  torch::Tensor noise(std::int64_t columns) const;       ///< [rows * columns, C, H, W]
  torch::Tensor testImages(std::int64_t columns) const;  ///< Fixed held-out images, row by row.
  core::RaeCodec& codec();
  core::DiTwDDTHead& teacher();
  core::DiTwDDTHead& student();
  core::VelocityField guidedTeacher(const base::GuidanceConfig& guidance);
  void publishGrid(const std::string& stage, std::int64_t step, const std::string& what, int nfe,
                   const torch::Tensor& images, std::int64_t columns, double cpu_before);

  base::RunConfig config_;
  const base::RunFolder& folder_;
  std::shared_ptr<const core::ImageDataset> data_;
  base::FanOutSink& events_;
  core::MaskedAutoencoder encoder_{nullptr};
  std::unique_ptr<core::RaeCodec> raw_codec_;
  std::shared_ptr<core::RaeCodec> codec_;
  core::DiTwDDTHead teacher_{nullptr}, student_{nullptr};
  std::int64_t num_student_pictures_ = 0;
  std::unique_ptr<core::JumpMap> cmt_matrix_;  ///< Holds the teacher's paths.
};

}  // namespace meanflow::training
