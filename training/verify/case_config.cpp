// SPDX-License-Identifier: Apache-2.0
#include "training/verify/case_config.h"

#include <cmath>
#include <cstdlib>
#include <stdexcept>

namespace meanflow::training {

CaseConfig::CaseConfig(const nlohmann::json& object, std::string file, std::string path)
    : object_(&object), file_(std::move(file)), path_(std::move(path)) {
  if (!object.is_object())
    throw std::runtime_error(file_ + ": " + (path_.empty() ? "" : "`" + path_ + "` ") + "must be a JSON object");
}

std::string CaseConfig::where(const std::string& key) const {
  return file_ + ": `" + (path_.empty() ? key : path_ + "." + key) + "`";
}

void CaseConfig::fail(const std::string& key, const std::string& what) const {
  const auto found = object_->find(key);
  // Strings in a hostile file need not be UTF-8.
  const auto seen = found == object_->end()
                        ? std::string("nothing")
                        : found->dump(-1, ' ', true, nlohmann::json::error_handler_t::replace).substr(0, 60);
  throw std::runtime_error(where(key) + " " + what + ", found " + seen);
}

bool CaseConfig::has(const std::string& key) const {
  const auto found = object_->find(key);
  return found != object_->end() && !found->is_null();
}

const nlohmann::json& CaseConfig::value(const std::string& key) const {
  if (!has(key)) throw std::runtime_error(where(key) + " is missing");
  return *object_->find(key);
}

CaseConfig CaseConfig::at(const std::string& key) const {
  return {value(key), file_, path_.empty() ? key : path_ + "." + key};
}

std::vector<std::string> CaseConfig::keys() const {
  std::vector<std::string> result;
  for (const auto& [key, ignored] : object_->items()) result.push_back(key);
  return result;
}

std::int64_t CaseConfig::integerFrom(const nlohmann::json& found, const std::string& key, std::int64_t min,
                                     std::int64_t max) const {
  const auto range = "must be a whole number from " + std::to_string(min) + " to " + std::to_string(max);
  if (!found.is_number_integer()) fail(key, range);
  if (found.is_number_unsigned() && found.get<std::uint64_t>() > static_cast<std::uint64_t>(max)) fail(key, range);
  const auto number = found.get<std::int64_t>();
  if (number < min || number > max) fail(key, range);
  return number;
}

std::int64_t CaseConfig::integer(const std::string& key, std::int64_t min, std::int64_t max) const {
  return integerFrom(value(key), key, min, max);
}
std::int64_t CaseConfig::integerOr(const std::string& key, std::int64_t fallback, std::int64_t min,
                                   std::int64_t max) const {
  return has(key) ? integer(key, min, max) : fallback;
}

double CaseConfig::number(const std::string& key, double min, double max) const {
  const auto& found = value(key);
  if (!found.is_number()) fail(key, "must be a number");
  const auto number = found.get<double>();
  if (!std::isfinite(number) || number < min || number > max) fail(key, "is out of its range");
  return number;
}
double CaseConfig::numberOr(const std::string& key, double fallback, double min, double max) const {
  return has(key) ? number(key, min, max) : fallback;
}

bool CaseConfig::flag(const std::string& key) const {
  if (!value(key).is_boolean()) fail(key, "must be true or false");
  return value(key).get<bool>();
}
bool CaseConfig::flagOr(const std::string& key, bool fallback) const { return has(key) ? flag(key) : fallback; }

std::string CaseConfig::text(const std::string& key) const {
  if (!value(key).is_string()) fail(key, "must be a text");
  return value(key).get<std::string>();
}
std::string CaseConfig::textOr(const std::string& key, const std::string& fallback) const {
  return has(key) ? text(key) : fallback;
}

std::vector<double> CaseConfig::numbers(const std::string& key, std::size_t count) const {
  const auto& found = value(key);
  const auto wanted =
      count > 0 ? "must be a list of " + std::to_string(count) + " numbers" : std::string("must be a list of numbers");
  if (!found.is_array() || (count > 0 && found.size() != count) || found.size() > 10000) fail(key, wanted);
  std::vector<double> result;
  for (const auto& entry : found) {
    if (!entry.is_number()) fail(key, wanted);
    result.push_back(entry.get<double>());
  }
  return result;
}

std::vector<std::int64_t> CaseConfig::integers(const std::string& key, std::int64_t min, std::int64_t max) const {
  const auto& found = value(key);
  if (!found.is_array()) return {integerFrom(found, key, min, max)};
  if (found.empty() || found.size() > 16) fail(key, "must be one to sixteen whole numbers");
  std::vector<std::int64_t> result;
  for (const auto& entry : found) result.push_back(integerFrom(entry, key, min, max));
  return result;
}

double numberInName(const std::string& text, const std::string& tensor_name) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !std::isfinite(number))
    throw std::runtime_error("tensor '" + tensor_name + "': there should be a number where its name says '" + text +
                             "'");
  return number;
}

}  // namespace meanflow::training
