// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace meanflow::training {

/// An object inside a case.json that knows where it stands. Every reader throws std::runtime_error naming the file, the
/// key and what was found there: case folders come from anywhere. The JSON must outlive it.
class CaseConfig {
 public:
  CaseConfig(const nlohmann::json& object, std::string file, std::string path);

  bool has(const std::string& key) const;  ///< Present and not null.
  CaseConfig at(const std::string& key) const;
  std::vector<std::string> keys() const;
  const nlohmann::json& json() const { return *object_; }

  /// A whole number in [min, max]. The limits keep an absurd file from asking for terabytes or years.
  std::int64_t integer(const std::string& key, std::int64_t min, std::int64_t max) const;
  std::int64_t integerOr(const std::string& key, std::int64_t fallback, std::int64_t min, std::int64_t max) const;
  double number(const std::string& key, double min = -1e18, double max = 1e18) const;
  double numberOr(const std::string& key, double fallback, double min = -1e18, double max = 1e18) const;
  bool flag(const std::string& key) const;
  bool flagOr(const std::string& key, bool fallback) const;
  std::string text(const std::string& key) const;
  std::string textOr(const std::string& key, const std::string& fallback) const;     ///< Also for null.
  std::vector<double> numbers(const std::string& key, std::size_t count = 0) const;  ///< count 0 = any.
  /// A list of whole numbers, or one number that stands for all.
  std::vector<std::int64_t> integers(const std::string& key, std::int64_t min, std::int64_t max) const;

  /// Throws what the readers throw, for a check of the caller's.
  [[noreturn]] void fail(const std::string& key, const std::string& what) const;

 private:
  const nlohmann::json& value(const std::string& key) const;
  std::string where(const std::string& key) const;
  std::int64_t integerFrom(const nlohmann::json& found, const std::string& key, std::int64_t min,
                           std::int64_t max) const;

  const nlohmann::json* object_;
  std::string file_, path_;
};

/// A number out of a tensor's name ("0.5" of "fd0.5"); throws std::runtime_error naming the tensor unless all of `text`
/// is one.
double numberInName(const std::string& text, const std::string& tensor_name);

}  // namespace meanflow::training
