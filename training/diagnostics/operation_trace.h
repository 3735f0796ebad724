// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <ATen/record_function.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace meanflow::training {

/// One operation that ran while an OperationTrace lived.
struct TracedOperation {
  std::string name;   ///< "aten::addmm"
  std::string block;  ///< core::BlockScope it ran in; of a backward operation, that of its forward one.
  bool is_backward = false;
  std::string forward_name;  ///< Of a backward operation: what it differentiates.
  double max_abs = 0;        ///< Largest magnitude of its floating-point outputs; NaN where an entry is.
  bool isFinite() const { return max_abs <= 1.7976931348623157e308; }
};

/// Watches every operation that this thread runs while it lives, and those of the backward passes it starts, and keeps
/// how large their outputs were, innermost operations first. Waits for the device after each: for replays only.
class OperationTrace {
 public:
  OperationTrace();
  ~OperationTrace();
  OperationTrace(const OperationTrace&) = delete;
  OperationTrace& operator=(const OperationTrace&) = delete;

  const std::vector<TracedOperation>& operations() const { return operations_; }

 private:
  static std::unique_ptr<at::ObserverContext> onBegin(const at::RecordFunction& function);
  static void onEnd(const at::RecordFunction& function, at::ObserverContext* context);
  void begin(const at::RecordFunction& function);
  void end(const at::RecordFunction& function);

  struct Origin {
    std::string block, name;
  };
  std::mutex mutex_;
  at::CallbackHandle handle_;
  std::unordered_map<std::int64_t, Origin> forward_;  ///< By sequence number.
  std::vector<Origin> backward_;                      ///< Stack of the backward functions under way.
  std::vector<TracedOperation> operations_;
};

}  // namespace meanflow::training
