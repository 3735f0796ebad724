// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/tensor_statistics.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace meanflow::core {
namespace {

constexpr std::int64_t kPiece = std::int64_t{1} << 20;

template <class Visit>
void forPieces(const torch::Tensor& tensor, torch::ScalarType type, Visit visit) {
  auto flat = tensor.detach().reshape(-1);
  if (flat.is_complex()) flat = torch::view_as_real(flat.resolve_conj()).reshape(-1);
  for (std::int64_t at = 0; at < flat.numel(); at += kPiece)
    visit(flat.narrow(0, at, std::min(kPiece, flat.numel() - at)).to(type));
}

}  // namespace

TensorStatistics statisticsOf(const torch::Tensor& tensor) {
  TensorStatistics statistics;
  statistics.min = std::numeric_limits<double>::infinity();
  statistics.max = -statistics.min;
  double sum_sq = 0;
  forPieces(tensor, torch::kFloat64, [&](torch::Tensor piece) {
    const auto is_finite = torch::isfinite(piece);
    const auto num_finite = is_finite.sum().item<std::int64_t>();
    statistics.num_non_finite += piece.numel() - num_finite;
    if (num_finite == 0) return;
    if (num_finite < piece.numel()) piece = piece.masked_select(is_finite);
    sum_sq += piece.square().sum().item<double>();
    statistics.min = std::min(statistics.min, piece.min().item<double>());
    statistics.max = std::max(statistics.max, piece.max().item<double>());
  });
  if (statistics.min > statistics.max) statistics.min = statistics.max = 0;  // no finite value at all
  statistics.norm = std::sqrt(sum_sq);
  return statistics;
}

std::int64_t countNonFinite(const torch::Tensor& tensor) {
  if (!tensor.is_floating_point() && !tensor.is_complex()) return 0;
  std::int64_t count = 0;
  // Eight-bit floats have no isfinite of their own.
  const auto type = tensor.element_size() == 1 ? torch::kFloat32
                    : tensor.is_complex()      ? c10::toRealValueType(tensor.scalar_type())
                                               : tensor.scalar_type();
  forPieces(tensor, type, [&](const torch::Tensor& piece) {
    // A sum is finite only if every value is, and costs far less than asking each; large sums may still overflow.
    if (std::isfinite(piece.sum().to(torch::kFloat64).item<double>())) return;
    count += piece.numel() - torch::isfinite(piece).sum().item<std::int64_t>();
  });
  return count;
}

}  // namespace meanflow::core
