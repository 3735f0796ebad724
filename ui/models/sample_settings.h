// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QString>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/formats/png.h"
#include "core/base/run/training_host.h"

namespace meanflow::ui {

/// A grid of images a person asks for: one row a class and one column a noise; or, on the way to another seed or class,
/// one row a class and noise and one column a place on the way.
struct SampleSettings {
  std::vector<std::int64_t> classes;
  QString noises = QStringLiteral("0-7");  ///< Numbers and ranges: "0, 3, 5-8".
  /// One noise a column for all rows. Otherwise every row has noises of its own, numbered class x 1000 + column: those
  /// of the live grids and of the report.
  bool has_shared_noise = false;
  std::uint64_t seed = 0;
  double truncation = 1;                      ///< Factor psi on the noise, 0 to 1.
  std::optional<std::uint64_t> towards_seed;  ///< Rows go from their noise to the one of this seed, on the sphere.
  std::optional<std::int64_t> towards_class;  ///< Rows go from their class to this one, by their label embeddings.
  int between = 8;                            ///< Columns of an interpolation, both ends included.
  int nfe = 1;
  bool use_teacher = false;
  double guidance_scale = 1;
  double guidance_t_min = 0, guidance_t_max = 1;
  bool use_ema = true;
  QString checkpoint;  ///< STAGE/checkpoints/step_N; empty: the newest.

  /// The numbers of `noises`, or nullopt when it cannot be read or asks for more than 64 columns.
  std::optional<std::vector<std::uint64_t>> columns() const;
  bool isInterpolation() const { return towards_seed || towards_class; }
  int numRows() const;     ///< 0 when the noises cannot be read.
  int numColumns() const;  ///< The same.
  /// What stands in the way, as a sentence; empty: nothing.
  QString problem() const;
  base::SampleRequest request(const QString& run_folder, std::int64_t id) const;

  /// As texts of a PNG, and back. Keys are those of `meanflow sample`, and a few more.
  base::PngTexts toTexts(const QString& run_name) const;
  static std::optional<SampleSettings> fromTexts(const base::PngTexts& texts);
  bool operator==(const SampleSettings&) const = default;
};

}  // namespace meanflow::ui
