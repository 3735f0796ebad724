// SPDX-License-Identifier: Apache-2.0
//
// events.jsonl: every event of a run, one JSON object a line, append-only. Written by one process, read by any number
// while it grows.
#pragma once
#include <deque>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/base/events/event_sink.h"
#include "core/base/result.h"

namespace meanflow::base {

/// Appends events. Each line is one write(2), so a killed process leaves at most one torn line, and milestones (run and
/// stage changes, checkpoints, the end) are flushed to disk. When the disk is full, lines wait in memory (the newest
/// 16 MiB) and are written as soon as there is room; one warning says so.
class EventLogWriter final : public EventSink {
 public:
  /// Opens or creates the file. A torn last line, or garbage after a power cut, is cut off first.
  static Result<std::unique_ptr<EventLogWriter>> open(const std::filesystem::path& path);
  ~EventLogWriter() override;
  EventLogWriter(const EventLogWriter&) = delete;
  EventLogWriter& operator=(const EventLogWriter&) = delete;

  /// One more than the last sequence number in the file; 0 for a new file. Give it to FanOutSink.
  std::int64_t nextSequence() const { return next_sequence_; }
  void publish(const EventRecord& record) override;

 private:
  EventLogWriter(std::filesystem::path path, int fd, std::int64_t size, std::int64_t next_sequence);
  bool writeWaiting();

  std::filesystem::path path_;
  int fd_ = -1;
  std::int64_t size_ = 0;  ///< Bytes of complete lines in the file.
  std::int64_t next_sequence_ = 0;
  std::deque<std::string> waiting_;
  std::size_t waiting_bytes_ = 0;
  bool is_failing_ = false;
};

/// Follows a file that another process may be writing. Not thread-safe.
class EventLogReader {
 public:
  static Result<EventLogReader> open(const std::filesystem::path& path);
  /// Begins at `offset`, which must be where a line begins (see offset()).
  static Result<EventLogReader> open(const std::filesystem::path& path, std::int64_t offset);
  ~EventLogReader();
  EventLogReader(EventLogReader&& other) noexcept;
  EventLogReader& operator=(EventLogReader&& other) noexcept;

  /// Events of the complete lines that are new since the last call, up to about 8 MiB of text; empty when there are
  /// none. A line without its newline waits. Error when the file shrank below what was read, vanished or was replaced:
  /// open a new reader then.
  Result<std::vector<EventRecord>> poll();
  /// Lines passed over: unknown event types, and lines that are not events.
  std::int64_t numSkipped() const { return num_skipped_; }
  /// Bytes of the lines read so far, from the beginning of the file.
  std::int64_t offset() const { return offset_; }
  /// Whether the last poll stopped at its limit with more to read.
  bool hasMore() const { return has_more_; }

 private:
  EventLogReader(std::filesystem::path path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::filesystem::path path_;
  int fd_ = -1;
  std::int64_t offset_ = 0;  ///< Just behind the last complete line that was read.
  std::int64_t num_skipped_ = 0;
  bool has_more_ = false;
};

/// Every event of a finished or growing log.
Result<std::vector<EventRecord>> readAllEvents(const std::filesystem::path& path);

/// Whether an event must never be lost: run and stage changes, checkpoints, failures, evaluation results.
bool isMilestone(const TrainingEvent& event);

}  // namespace meanflow::base
