// SPDX-License-Identifier: Apache-2.0
#include "core/base/formats/step_log.h"

#include <charconv>
#include <cmath>
#include <ctime>

namespace meanflow::base {
namespace {

constexpr std::size_t kMaxLineValues = 64;
constexpr std::size_t kMaxName = 80;

bool isDigit(char c) { return c >= '0' && c <= '9'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t' || text.front() == ',')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

/// Digits at the beginning of `text`, which are taken off it.
std::optional<std::int64_t> takeCount(std::string_view& text) {
  std::int64_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc() || text.empty() || !isDigit(text.front())) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

/// "2024-05-01 12:34:56" somewhere in the first bytes, in local time.
double timeIn(std::string_view line) {
  static constexpr std::string_view kShape = "dddd-dd-dd dd:dd:dd";
  const auto fits = [&](std::size_t at) {
    for (std::size_t i = 0; i < kShape.size(); ++i)
      if (kShape[i] == 'd' ? !isDigit(line[at + i])
                           : line[at + i] != kShape[i] && !(kShape[i] == ' ' && line[at + i] == 'T'))
        return false;
    return true;
  };
  for (std::size_t at = 0; at + kShape.size() <= line.size() && at < 40; ++at) {
    if (!fits(at)) continue;
    const auto number = [&](std::size_t from, std::size_t count) {
      int value = 0;
      std::from_chars(line.data() + at + from, line.data() + at + from + count, value);
      return value;
    };
    std::tm time{};
    time.tm_year = number(0, 4) - 1900;
    time.tm_mon = number(5, 2) - 1;
    time.tm_mday = number(8, 2);
    time.tm_hour = number(11, 2);
    time.tm_min = number(14, 2);
    time.tm_sec = number(17, 2);
    time.tm_isdst = -1;
    const auto seconds = std::mktime(&time);
    return seconds > 0 ? static_cast<double>(seconds) : 0;
  }
  return 0;
}

/// "name: number" again and again, with commas between them or not.
void takeValues(std::string_view text, std::vector<StepLine::Value>& values) {
  while (values.size() < kMaxLineValues) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return;
    auto name = trimmed(text.substr(0, colon));
    if (const auto comma = name.rfind(','); comma != std::string_view::npos) name = trimmed(name.substr(comma + 1));
    text = trimmed(text.substr(colon + 1));
    double value = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool is_number = status == std::errc() || status == std::errc::result_out_of_range;
    if (is_number && !name.empty() && name.size() <= kMaxName)
      values.push_back({std::string(name), status == std::errc() ? value : std::nan("")});
    if (is_number) {
      text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    } else {
      const auto comma = text.find(',');
      if (comma == std::string_view::npos) return;
      text.remove_prefix(comma + 1);
    }
  }
}

}  // namespace

double timeOfLine(std::string_view line) { return timeIn(withoutEscapes(line, 80)); }

std::string withoutEscapes(std::string_view line, std::size_t max_bytes) {
  std::string clean;
  for (std::size_t i = 0; i < line.size() && clean.size() < max_bytes; ++i) {
    if (line[i] != '\033') {
      if (line[i] != '\r') clean += line[i];
      continue;
    }
    if (i + 1 >= line.size() || line[i + 1] != '[') continue;
    i += 2;
    while (i < line.size() && !(line[i] >= '@' && line[i] <= '~')) ++i;  // up to the letter that ends it
  }
  return clean;
}

std::optional<StepLine> parseStepLine(std::string_view raw) {
  const std::string line = withoutEscapes(raw);
  std::string_view rest = line;
  StepLine found;
  if (const auto at = rest.find("(step="); at != std::string_view::npos) {
    rest.remove_prefix(at + 6);
    const auto step = takeCount(rest);
    const auto close = rest.find(')');
    if (!step || close == std::string_view::npos) return std::nullopt;
    found.step = *step;
    rest.remove_prefix(close + 1);
  } else if (const auto epoch = rest.find("[Epoch "); epoch != std::string_view::npos) {
    found.style = StepLine::Style::kEpochStep;
    rest.remove_prefix(epoch + 7);
    if (!takeCount(rest)) return std::nullopt;
    if (rest.starts_with(" | Step ")) {
      rest.remove_prefix(8);
      const auto step = takeCount(rest);
      if (!step) return std::nullopt;
      found.step = *step;
    }
    if (!rest.starts_with("]")) return std::nullopt;
    rest.remove_prefix(1);
  } else {
    return std::nullopt;
  }
  takeValues(rest, found.values);
  if (found.values.empty()) return std::nullopt;
  found.unix_seconds = timeIn(line);
  return found;
}

}  // namespace meanflow::base
