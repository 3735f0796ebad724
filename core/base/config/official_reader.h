// SPDX-License-Identifier: Apache-2.0
//
// Takes official keys out of a YAML tree one by one, writes ours, and keeps the report. Internal to the conversion.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/config/official_config.h"

namespace meanflow::base {

/// Every call names its official key, which makes that key known; whatever the file holds beyond the known keys is an
/// error in the end. The first error of a call is kept and the conversion goes on, so that an unknown key (often its
/// cause) can be reported instead.
class OfficialReader {
 public:
  OfficialReader(const YamlNode& root, std::string source_name, OfficialConfig& out)
      : root_(root), source_name_(std::move(source_name)), out_(out) {}

  /// Whether the file gives `key` a value that is not null. Does not make it known.
  bool has(std::string_view key) const { return find(key) != nullptr; }

  // The value under `key`, which becomes known; nothing when it is absent or null, or when it is of another type (an
  // error).
  std::optional<std::string> text(const std::string& key);
  std::optional<double> number(const std::string& key);
  std::optional<std::int64_t> integer(const std::string& key);
  std::optional<bool> boolean(const std::string& key);
  std::optional<std::vector<std::int64_t>> integers(const std::string& key);
  std::optional<std::vector<double>> numbers(const std::string& key);

  /// ours := the value of `key` as written; when absent, ours := `fallback` unless that is empty.
  void copy(const std::string& key, const std::string& ours, const std::string& fallback = {},
            const std::string& note = {});
  /// ours := value, which was computed from `key`.
  void set(const std::string& key, const std::string& ours, const std::string& value, const std::string& note = {});
  /// ours := value, a constant of the released code.
  void constant(const std::string& ours, const std::string& value, const std::string& note);
  /// Makes `key` known without effect.
  void ignore(const std::string& key, const std::string& reason);

  void warn(std::string text) { out_.warnings.push_back(std::move(text)); }
  /// Keeps the first error.
  void fail(const std::string& key, const std::string& what);
  /// The error of the conversion: an unknown or repeated key, else the first that fail() was given.
  Result<void> finish() const;

  RunConfig& config() { return out_.config; }
  const std::string& sourceName() const { return source_name_; }

 private:
  const YamlNode* find(std::string_view key) const;
  const YamlNode* take(const std::string& key);
  template <class T>
  std::optional<T> read(const std::string& key);
  int lineOf(const std::string& key) const;
  std::string writtenValue(const std::string& key) const;
  Result<void> checkKeys(const YamlNode& node, const std::string& prefix) const;

  const YamlNode& root_;
  std::string source_name_;
  OfficialConfig& out_;
  std::set<std::string> known_;
  std::optional<Error> error_;
};

/// A list as YAML writes it: [a, b].
std::string listText(const std::vector<std::int64_t>& values);

}  // namespace meanflow::base
