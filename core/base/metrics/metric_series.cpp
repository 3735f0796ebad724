// SPDX-License-Identifier: Apache-2.0
#include "core/base/metrics/metric_series.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace meanflow::base {
namespace {
constexpr std::size_t kFactor = 16, kFoldFactor = 4;
constexpr double kInf = std::numeric_limits<double>::infinity();
/// Where the generations of condensed series begin: whoever read one starts again when the points take its place.
constexpr std::uint64_t kCondensedGeneration = std::uint64_t{1} << 63;
}  // namespace

void MetricSeries::append(double x, double y) {
  if (std::isnan(x)) return;
  if (!x_.empty() && x <= x_.back()) truncateAfter(std::nextafter(x, -kInf));
  x_.push_back(x);
  y_.push_back(y);
  extendPyramid(x_.size() - 1);
}

void MetricSeries::appendSegment(const SeriesSegment& segment) {
  if (std::isnan(segment.x_last) || segments_.size() != x_.size()) return;
  if (!x_.empty() && segment.x_first <= x_.back()) return;
  if (segments_.empty()) generation_ |= kCondensedGeneration;
  segments_.push_back(segment);
  x_.push_back(segment.x_last);
  y_.push_back(segment.y_last);
  extendPyramid(x_.size() - 1);
}

std::size_t MetricSeries::firstFrom(double x) const {
  return static_cast<std::size_t>(std::lower_bound(x_.begin(), x_.end(), x) - x_.begin());
}

std::size_t MetricSeries::firstAfter(double x) const {
  return static_cast<std::size_t>(std::upper_bound(x_.begin(), x_.end(), x) - x_.begin());
}

bool MetricSeries::isCondensed() const { return !segments_.empty() && generation_ >= kCondensedGeneration; }

std::uint64_t MetricSeries::numFinite(std::size_t i) const {
  return i < segments_.size() ? segments_[i].num_finite : (std::isfinite(y_[i]) ? 1 : 0);
}

/// The entries [first, last) as one, last > first.
SeriesSegment MetricSeries::joined(std::size_t first, std::size_t last) const {
  SeriesSegment segment{xFirst(first), x_[last - 1], y_[last - 1], kInf, -kInf, 0, 0};
  for (auto i = first; i < last; ++i) {
    const auto count = numFinite(i);
    if (count == 0) continue;
    segment.low = std::min(segment.low, low(i)), segment.high = std::max(segment.high, high(i));
    segment.num_finite += count;
    segment.mean += (mean(i) - segment.mean) * static_cast<double>(count) / static_cast<double>(segment.num_finite);
  }
  if (segment.num_finite == 0) segment.low = segment.high = segment.mean = std::nan("");
  return segment;
}

std::vector<SeriesSegment> MetricSeries::segments(std::size_t num_points) const {
  num_points = std::max<std::size_t>(num_points, 1);
  std::vector<SeriesSegment> segments;
  segments.reserve(x_.size() / num_points + 1);
  for (std::size_t start = 0; start < x_.size(); start += num_points)
    segments.push_back(joined(start, std::min(start + num_points, x_.size())));
  return segments;
}

void MetricSeries::fold() {
  if (isCondensed()) return;
  const auto end = x_.size() - x_.size() / 4;
  std::vector<SeriesSegment> folded;
  std::size_t at = 0;
  if (segments_.empty() || segments_.size() >= x_.size() / 2) {
    if (folded_unit_ < x_.size()) folded_unit_ *= kFoldFactor;
    for (; at < segments_.size(); at = std::min(at + kFoldFactor, segments_.size()))
      folded.push_back(joined(at, std::min(at + kFoldFactor, segments_.size())));
  } else {
    folded = segments_;
    at = segments_.size();
  }
  for (; at + folded_unit_ <= end; at += folded_unit_) folded.push_back(joined(at, at + folded_unit_));
  if (folded.size() == at && at + 1 < end) {  // of a short series for so many points
    folded.push_back(joined(at, end));
    at = end;
  }
  if (folded.size() == at) return;
  std::vector<double> x, y;
  x.reserve(folded.size() + x_.size() - at), y.reserve(x.capacity());
  for (const auto& segment : folded) x.push_back(segment.x_last), y.push_back(segment.y_last);
  x.insert(x.end(), x_.begin() + static_cast<std::ptrdiff_t>(at), x_.end());
  y.insert(y.end(), y_.begin() + static_cast<std::ptrdiff_t>(at), y_.end());
  x_ = std::move(x), y_ = std::move(y), segments_ = std::move(folded);
  ++generation_, ++num_folds_;
  buildPyramid();
}

void MetricSeries::buildPyramid() {
  levels_.clear();
  for (std::size_t i = 0; i < x_.size(); ++i) extendPyramid(i);
}

void MetricSeries::truncateAfter(double step) {
  const auto keep = firstAfter(step);
  if (keep == x_.size()) return;
  ++generation_;
  x_.resize(keep);
  y_.resize(keep);
  segments_.resize(std::min(keep, segments_.size()));
  if (segments_.empty()) folded_unit_ = 1;
  // Level k exists from 16^k + 1 points on; extendPyramid makes it anew when there are as many again.
  for (std::size_t k = levels_.size(), unit = std::size_t{1} << (4 * k); k > 1; --k, unit /= kFactor)
    if (keep <= unit / kFactor) levels_.pop_back();
  // The last bucket of each level may hold dropped points: cut it off and take in its remaining ones again.
  std::size_t bucket_size = 1;
  for (auto& level : levels_) {
    bucket_size *= kFactor;
    level.resize(keep / bucket_size);
  }
  bucket_size = 1;
  for (auto& level : levels_) {
    bucket_size *= kFactor;
    const std::size_t first = level.size() * bucket_size;
    if (first >= keep) continue;
    Extremes rest{kInf, -kInf};
    for (std::size_t i = first; i < keep; ++i)
      if (numFinite(i) > 0) rest = {std::min(rest.min, low(i)), std::max(rest.max, high(i))};
    level.push_back(rest);
  }
}

void MetricSeries::extendPyramid(std::size_t index) {
  std::size_t bucket_size = kFactor;
  for (std::size_t k = 0; bucket_size <= kFactor || x_.size() > bucket_size / kFactor; ++k, bucket_size *= kFactor) {
    if (k == levels_.size()) {
      // A new level starts with everything that came before.
      levels_.emplace_back();
      if (k > 0 && index > 0) {
        Extremes before{kInf, -kInf};
        for (const auto& e : levels_[k - 1]) before = {std::min(before.min, e.min), std::max(before.max, e.max)};
        levels_[k].push_back(before);
      }
    }
    auto& level = levels_[k];
    const std::size_t bucket = index / bucket_size;
    if (bucket == level.size()) level.push_back({kInf, -kInf});
    if (numFinite(index) > 0) {
      level[bucket].min = std::min(level[bucket].min, low(index));
      level[bucket].max = std::max(level[bucket].max, high(index));
    }
  }
}

/// Extremes of the points [first, last): large buckets where they fit, single points at the ends.
MetricSeries::Extremes MetricSeries::extremes(std::size_t first, std::size_t last) const {
  Extremes found{kInf, -kInf};
  while (first < last) {
    std::size_t bucket_size = 1, level = 0;
    while (level < levels_.size() && first % (bucket_size * kFactor) == 0 &&
           (first + bucket_size * kFactor <= last || last == x_.size()))
      bucket_size *= kFactor, ++level;
    if (level == 0) {
      if (numFinite(first) > 0) found = {std::min(found.min, low(first)), std::max(found.max, high(first))};
    } else {
      const auto& e = levels_[level - 1][first / bucket_size];
      found = {std::min(found.min, e.min), std::max(found.max, e.max)};
    }
    first += bucket_size;
  }
  return found;
}

std::vector<SeriesBucket> MetricSeries::view(double x_low, double x_high, std::size_t max_buckets) const {
  std::vector<SeriesBucket> buckets;
  if (x_.empty() || !(x_low <= x_high)) return buckets;
  auto first = firstFrom(x_low);
  auto last = firstAfter(x_high);
  if (first > 0) --first;
  if (last < x_.size()) ++last;
  const std::size_t wanted = std::max<std::size_t>(1, max_buckets);
  std::size_t stride = (last - first + wanted - 1) / wanted;
  for (std::size_t unit = kFactor; stride >= unit; unit *= kFactor) stride = (stride + unit - 1) / unit * unit;
  stride = std::max<std::size_t>(1, stride);
  buckets.reserve((last - first) / stride + 2);
  for (std::size_t start = first / stride * stride; start < last; start += stride) {
    const std::size_t end = std::min(start + stride, x_.size());
    const auto e = extremes(start, end);
    const bool has_any = e.min <= e.max;
    buckets.push_back(
        {xFirst(start), x_[end - 1], has_any ? e.min : std::nan(""), has_any ? e.max : std::nan(""), y_[end - 1]});
  }
  return buckets;
}

std::size_t SmoothedSeries::numLeft(const MetricSeries& source) const {
  return generation_ == source.generation() ? source.size() - x_.size() : source.size();
}

std::size_t SmoothedSeries::update(const MetricSeries& source, std::size_t max_points) {
  if (generation_ != source.generation()) {
    generation_ = source.generation();
    mean_ = 0, weight_power_ = 1;
    x_.clear(), y_.clear();
  }
  const auto begin = x_.size();
  const auto num_new = std::min(source.size() - begin, max_points);
  // Room for all of a long series at once: to grow step by step would copy it time and again.
  if (x_.empty()) x_.reserve(source.size()), y_.reserve(source.size());
  for (auto i = begin; i < begin + num_new; ++i) {
    if (const auto count = source.numFinite(i); count > 0) {
      const double weight = count == 1 ? weight_ : std::pow(weight_, static_cast<double>(count));
      weight_power_ *= weight;
      mean_ += (1 - weight) / (1 - weight_power_) * (source.mean(i) - mean_);
    }
    x_.push_back(source.x(i));
    y_.push_back(weight_power_ < 1 ? mean_ : std::nan(""));
  }
  return num_new;
}

double SmoothedSeries::at(double x) const {
  if (x_.empty()) return std::nan("");
  const auto after = std::lower_bound(x_.begin(), x_.end(), x);
  return y_[std::min(static_cast<std::size_t>(after - x_.begin()), x_.size() - 1)];
}

}  // namespace meanflow::base
