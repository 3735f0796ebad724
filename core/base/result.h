// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

namespace meanflow::base {

/// What kind of thing went wrong; the command line maps it to an exit code (design: usage 2, diverged 3, else 1).
enum class ErrorKind { kFailed, kUsage, kDiverged };

/// A message a person can act on: the file or key, what was seen, what to do.
struct Error {
  std::string message;
  ErrorKind kind = ErrorKind::kFailed;
};

/// A value or an Error. Used for user input, files and network; broken invariants throw instead.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: a value is a success
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: an Error is a failure

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  const T& value() const& { return check(), std::get<0>(state_); }
  T& value() & { return check(), std::get<0>(state_); }
  T&& value() && { return check(), std::get<0>(std::move(state_)); }
  const T& operator*() const& { return value(); }
  T& operator*() & { return value(); }
  const T* operator->() const { return &value(); }
  T* operator->() { return &value(); }
  const Error& error() const { return std::get<1>(state_); }

 private:
  void check() const {
    if (!ok()) throw std::runtime_error(std::get<1>(state_).message);
  }
  std::variant<T, Error> state_;
};

/// Success without a value.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: an Error is a failure
  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const { return *error_; }
  /// Throws std::runtime_error with the message when this is a failure.
  void value() const {
    if (error_) throw std::runtime_error(error_->message);
  }

 private:
  std::optional<Error> error_;
};

}  // namespace meanflow::base
