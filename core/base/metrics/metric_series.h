// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace meanflow::base {

/// What one pixel column or so of a plot shows: the extremes of the points in [x_first, x_last]. NaN and infinite
/// values have no part in min and max; a bucket of nothing else has NaN for both.
struct SeriesBucket {
  double x_first = 0, x_last = 0;
  double y_min = 0, y_max = 0;
  double y_last = 0;  ///< The last point's value, perhaps not finite.
};

/// `count` neighbouring points in one: what a pyramid on disk keeps of a long series.
struct SeriesSegment {
  double x_first = 0, x_last = 0;
  double y_last = 0;             ///< The last point's value, perhaps not finite.
  double low = 0, high = 0;      ///< Of the finite values; NaN without any.
  double mean = 0;               ///< Likewise.
  std::uint64_t num_finite = 0;  ///< Points that low, high and mean are of.
  bool operator==(const SeriesSegment&) const = default;
};

/// Append-only points (x, y) with x increasing, and a min/max pyramid over them (factor 16), so that a view of 10^7
/// points costs a few thousand look-ups and never hides an extreme. Not thread-safe.
class MetricSeries {
 public:
  /// An x at or before the last one means that the run was rewound: the points from there on are dropped first.
  void append(double x, double y);
  /// Appends many points at once: extremes stay exact, single values are gone. Only onto segments or nothing; points
  /// may follow.
  void appendSegment(const SeriesSegment& segment);
  /// Drops the points with x > `step`, and segments that reach beyond it.
  void truncateAfter(double step);
  /// Makes room without hiding an extreme: all but the newest quarter of the entries become segments of neighbours,
  /// first of 4 points, of 16 once those alone are half of the entries, and so on. At most 13/16 of the entries remain,
  /// 7/16 the first time. Not for condensed series.
  void fold();

  std::size_t size() const { return x_.size(); }
  bool empty() const { return x_.empty(); }
  double x(std::size_t i) const { return x_[i]; }
  double y(std::size_t i) const { return y_[i]; }
  std::size_t firstFrom(double x) const;   ///< Index of the first entry with this x or a greater one, else size().
  std::size_t firstAfter(double x) const;  ///< Likewise with a greater one.
  /// Whether it is made of segments while its points are still being read: they take its place.
  bool isCondensed() const;
  /// Entries before this one are segments: points between x(i - 1) and x(i) are known by their extremes alone.
  std::size_t numSegments() const { return segments_.size(); }
  double low(std::size_t i) const { return i < segments_.size() ? segments_[i].low : y_[i]; }
  double high(std::size_t i) const { return i < segments_.size() ? segments_[i].high : y_[i]; }
  double mean(std::size_t i) const { return i < segments_.size() ? segments_[i].mean : y_[i]; }
  /// Finite points behind entry i.
  std::uint64_t numFinite(std::size_t i) const;
  /// The series in segments of `num_points` entries each, the last one perhaps of fewer.
  std::vector<SeriesSegment> segments(std::size_t num_points) const;
  /// Changes whenever points were dropped or folded: what was derived from the series must start again.
  std::uint64_t generation() const { return generation_; }
  /// Changes whenever points were dropped: what only needs to see each point once may go on after a folding.
  std::uint64_t numDrops() const { return generation_ - num_folds_; }

  /// Buckets that cover the points in [x_low, x_high] and one on either side, so that lines reach the edges. At most
  /// `max_buckets` + 2; single points when there are few enough. Bucket edges do not move while panning.
  std::vector<SeriesBucket> view(double x_low, double x_high, std::size_t max_buckets = 4096) const;

 private:
  struct Extremes {
    double min, max;
  };
  Extremes extremes(std::size_t first, std::size_t last) const;
  void extendPyramid(std::size_t index);

  SeriesSegment joined(std::size_t first, std::size_t last) const;
  void buildPyramid();
  double xFirst(std::size_t i) const { return i < segments_.size() ? segments_[i].x_first : x_[i]; }

  std::vector<double> x_, y_;
  std::vector<SeriesSegment> segments_;        ///< Of the first entries of x_ and y_.
  std::vector<std::vector<Extremes>> levels_;  ///< levels_[k][i]: points [i 16^(k+1), (i+1) 16^(k+1)).
  std::size_t folded_unit_ = 1;                ///< Points of a folded segment.
  std::uint64_t generation_ = 0, num_folds_ = 0;
};

/// Exponential moving average of a series, kept up to date as it grows: over the full data, so a value does not depend
/// on what is visible. Debiased: m += (1 - w) / (1 - w^n) (y - m), which equals s / (1 - w^n) with s = w s + (1 - w) y
/// and leaves constants exactly as they are. NaN and infinite values are skipped (the average stands still there). A
/// segment of n points counts as n times its mean, which is exact where its points are equal. Keeps its own places, so
/// that it can be read when the series has points anew, or other ones.
class SmoothedSeries {
 public:
  /// `weight` w in [0, 1): the share of the old average; 0 = no smoothing.
  explicit SmoothedSeries(double weight) : weight_(weight) {}
  double weight() const { return weight_; }
  /// Takes in up to `max_points` of what is new in `source`, always the same one, and returns how many; starts again
  /// where points were dropped.
  std::size_t update(const MetricSeries& source, std::size_t max_points = static_cast<std::size_t>(-1));
  /// Points of `source` that have not been taken in.
  std::size_t numLeft(const MetricSeries& source) const;

  std::size_t size() const { return x_.size(); }
  bool empty() const { return x_.empty(); }
  double x(std::size_t i) const { return x_[i]; }
  double y(std::size_t i) const { return y_[i]; }
  /// The value of the first point at or after `x`, or of the last one; NaN without any.
  double at(double x) const;

 private:
  double weight_;
  double mean_ = 0;
  double weight_power_ = 1;  ///< w^n
  std::uint64_t generation_ = 0;
  std::vector<double> x_, y_;
};

}  // namespace meanflow::base
