// SPDX-License-Identifier: Apache-2.0
#include "core/base/events/step_line.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>

namespace meanflow::base {
namespace {

bool isDigit(char c) { return c >= '0' && c <= '9'; }

/// Goes over a line from left to right; the first surprise ends it.
class StepLineCursor {
 public:
  explicit StepLineCursor(std::string_view line) : at_(line.data()), end_(line.data() + line.size()) {}

  bool literal(std::string_view text) {
    if (!std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(text)) return false;
    at_ += text.size();
    return true;
  }
  bool atEnd() const { return at_ == end_; }

  template <class Integer>
  bool integer(Integer& value) {
    if (!startsNumber()) return false;
    const auto [after, code] = std::from_chars(at_, end_, value);
    if (code != std::errc() || (after != end_ && (*after == '.' || *after == 'e' || *after == 'E'))) return false;
    at_ = after;
    return true;
  }
  bool number(double& value) {
    if (literal("null")) {
      value = std::numeric_limits<double>::quiet_NaN();
      return true;
    }
    if (!startsNumber()) return false;
    const auto [after, code] = std::from_chars(at_, end_, value);
    if (code != std::errc() || !isDigit(after[-1])) return false;
    if (after != end_ && (*after == '.' || *after == 'e' || *after == 'E')) return false;
    // JSON wants digits on both sides of a point.
    const auto* point = std::find(at_, after, '.');
    if (point != after && !isDigit(point[1])) return false;
    at_ = after;
    return true;
  }
  bool text(std::string& value) {
    if (at_ == end_ || *at_ != '"') return false;
    const auto* stop = at_ + 1;
    for (; stop != end_ && *stop != '"'; ++stop) {
      const auto byte = static_cast<unsigned char>(*stop);
      if (byte < 0x20 || byte >= 0x80 || byte == '\\') return false;
    }
    if (stop == end_) return false;
    value.assign(at_ + 1, stop);
    at_ = stop + 1;
    return true;
  }

 private:
  /// A minus at most, then a digit, no zero before another digit: what JSON allows and from_chars does not insist on.
  bool startsNumber() const {
    const auto* digit = at_ != end_ && *at_ == '-' ? at_ + 1 : at_;
    if (digit == end_ || !isDigit(*digit)) return false;
    return *digit != '0' || digit + 1 == end_ || !isDigit(digit[1]);
  }

  const char* at_;
  const char* end_;
};

bool readScalars(StepLineCursor& line, std::vector<Scalar>& scalars) {
  if (!line.literal("{")) return false;
  if (line.literal("}")) return true;
  scalars.reserve(4);
  do {
    Scalar scalar;
    if (!line.text(scalar.name) || !line.literal(":") || !line.number(scalar.value)) return false;
    const auto is_same = [&](const Scalar& other) { return other.name == scalar.name; };
    if (std::any_of(scalars.begin(), scalars.end(), is_same)) return false;
    scalars.push_back(std::move(scalar));
  } while (line.literal(","));
  return line.literal("}");
}

}  // namespace

std::optional<EventRecord> stepFromJsonLine(std::string_view text) {
  StepLineCursor line(text);
  EventRecord record;
  if (!line.literal(R"({"seq":)") || !line.integer(record.sequence)) return std::nullopt;
  if (!line.literal(R"(,"time":)") || !line.number(record.unix_seconds)) return std::nullopt;
  if (!line.literal(R"(,"type":"step_completed","stage":)")) return std::nullopt;
  auto& step = record.event.emplace<StepCompleted>();
  const bool is_read = line.text(step.stage) && line.literal(R"(,"step":)") && line.integer(step.step) &&
                       line.literal(R"(,"images_seen":)") && line.integer(step.images_seen) &&
                       line.literal(R"(,"scalars":)") && readScalars(line, step.scalars) &&
                       line.literal(R"(,"seconds_per_step":)") && line.number(step.seconds_per_step) &&
                       line.literal(R"(,"images_per_second":)") && line.number(step.images_per_second) &&
                       line.literal(R"(,"eta_seconds":)") && line.number(step.eta_seconds) &&
                       line.literal(R"(,"is_clipped":)");
  if (!is_read) return std::nullopt;
  step.is_clipped = line.literal("true");
  if (!step.is_clipped && !line.literal("false")) return std::nullopt;
  if (!line.literal("}") || !line.atEnd()) return std::nullopt;
  return record;
}

}  // namespace meanflow::base
