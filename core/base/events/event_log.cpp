// SPDX-License-Identifier: Apache-2.0
#include "core/base/events/event_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/base/events/event_json.h"

namespace meanflow::base {
namespace {

constexpr std::size_t kMaxWaitingBytes = 16 << 20;
constexpr std::size_t kMaxPollBytes = 8 << 20;
constexpr std::size_t kMaxLineBytes = 64 << 20;

Error fileError(const std::filesystem::path& path, const char* doing) {
  return {fmt::format("{}: cannot {}: {}", path.string(), doing, std::strerror(errno))};
}

/// Reads [offset, offset + size) as far as the file goes.
std::string readAt(int fd, std::int64_t offset, std::size_t size) {
  std::string text(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const auto got = ::pread(fd, text.data() + done, size - done, offset + static_cast<std::int64_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  text.resize(done);
  return text;
}

struct Tail {
  std::int64_t size = 0;           ///< Where the last sound line ends.
  std::int64_t next_sequence = 0;  ///< After that line.
};

/// Walks back over lines until one is a JSON object with a sequence number.
Tail findTail(int fd, std::int64_t file_size) {
  constexpr std::int64_t kChunk = 1 << 16;
  std::string text;  // the file from `start` on
  for (std::int64_t start = file_size, end = file_size; end > 0;) {
    // `end` is where the last line not yet judged ends; it is complete if a newline stands right before it.
    const auto newline_before = [&](std::int64_t position) -> std::int64_t {
      for (;;) {
        const auto have = position - start;
        const auto found = have > 0 ? text.rfind('\n', static_cast<std::size_t>(have - 1)) : std::string::npos;
        if (found != std::string::npos) return start + static_cast<std::int64_t>(found);
        if (start == 0) return -1;
        const auto more = std::min(kChunk, start);
        text.insert(0, readAt(fd, start - more, static_cast<std::size_t>(more)));
        start -= more;
      }
    };
    const auto last_newline = newline_before(end);
    if (last_newline < 0) break;
    const auto line_start = newline_before(last_newline) + 1;
    const auto line = std::string_view(text).substr(static_cast<std::size_t>(line_start - start),
                                                    static_cast<std::size_t>(last_newline - line_start));
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (json.is_object() && json.contains("seq") && json["seq"].is_number_integer())
      return {last_newline + 1, json["seq"].get<std::int64_t>() + 1};
    end = line_start;
    text.resize(static_cast<std::size_t>(end - start));
  }
  return {};
}

}  // namespace

bool isMilestone(const TrainingEvent& event) {
  return std::holds_alternative<RunStarted>(event) || std::holds_alternative<StateChanged>(event) ||
         std::holds_alternative<StageStarted>(event) || std::holds_alternative<MetricsReady>(event) ||
         std::holds_alternative<CheckpointSaved>(event) || std::holds_alternative<SettingChanged>(event) ||
         std::holds_alternative<StageFinished>(event) || std::holds_alternative<RunFailed>(event) ||
         std::holds_alternative<RunFinished>(event) || std::holds_alternative<AlarmRaised>(event) ||
         std::holds_alternative<DiagnosisReady>(event) || std::holds_alternative<RunBranched>(event);
}

Result<std::unique_ptr<EventLogWriter>> EventLogWriter::open(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return fileError(path, "open the event log");
  struct stat status {};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    const auto error = fileError(path, "use as an event log");
    ::close(fd);
    return error;
  }
  const Tail tail = findTail(fd, status.st_size);
  if (tail.size != status.st_size) {
    spdlog::warn("{}: cutting {} bytes of a torn last line", path.string(), status.st_size - tail.size);
    if (::ftruncate(fd, tail.size) != 0) {
      const auto error = fileError(path, "cut the torn last line");
      ::close(fd);
      return error;
    }
  }
  return std::unique_ptr<EventLogWriter>(new EventLogWriter(path, fd, tail.size, tail.next_sequence));
}

EventLogWriter::EventLogWriter(std::filesystem::path path, int fd, std::int64_t size, std::int64_t next_sequence)
    : path_(std::move(path)), fd_(fd), size_(size), next_sequence_(next_sequence) {}

EventLogWriter::~EventLogWriter() {
  if (!writeWaiting()) spdlog::error("{}: {} events could not be written", path_.string(), waiting_.size());
  ::fsync(fd_);
  ::close(fd_);
}

void EventLogWriter::publish(const EventRecord& record) {
  next_sequence_ = record.sequence + 1;
  waiting_.push_back(toJsonLine(record) + "\n");
  waiting_bytes_ += waiting_.back().size();
  while (waiting_bytes_ > kMaxWaitingBytes && waiting_.size() > 1) {
    waiting_bytes_ -= waiting_.front().size();
    waiting_.pop_front();
  }
  if (writeWaiting() && isMilestone(record.event)) ::fsync(fd_);
}

bool EventLogWriter::writeWaiting() {
  while (!waiting_.empty()) {
    const std::string& line = waiting_.front();
    ssize_t written = ::write(fd_, line.data(), line.size());
    while (written < 0 && errno == EINTR) written = ::write(fd_, line.data(), line.size());
    if (written != static_cast<ssize_t>(line.size())) {
      const int reason = written < 0 ? errno : ENOSPC;
      const bool is_restored = written <= 0 || ::ftruncate(fd_, size_) == 0;  // never leave a torn line in the middle
      if (!is_failing_)
        spdlog::warn("{}: cannot write ({}){}; events wait in memory until it works again", path_.string(),
                     std::strerror(reason), is_restored ? "" : ", and a torn line could not be cut");
      is_failing_ = true;
      return false;
    }
    size_ += written;
    waiting_bytes_ -= line.size();
    waiting_.pop_front();
  }
  if (is_failing_) spdlog::info("{}: writing works again", path_.string());
  is_failing_ = false;
  return true;
}

Result<EventLogReader> EventLogReader::open(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fileError(path, "open the event log");
  return EventLogReader(path, fd);
}

Result<EventLogReader> EventLogReader::open(const std::filesystem::path& path, std::int64_t offset) {
  auto reader = open(path);
  if (!reader || offset == 0) return reader;
  if (offset < 0 || readAt(reader->fd_, offset - 1, 1) != "\n")
    return Error{fmt::format("{}: no line begins at byte {}", path.string(), offset)};
  reader->offset_ = offset;
  return reader;
}

EventLogReader::~EventLogReader() {
  if (fd_ >= 0) ::close(fd_);
}

EventLogReader::EventLogReader(EventLogReader&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      offset_(other.offset_),
      num_skipped_(other.num_skipped_),
      has_more_(other.has_more_) {}

EventLogReader& EventLogReader::operator=(EventLogReader&& other) noexcept {
  std::swap(path_, other.path_), std::swap(fd_, other.fd_), std::swap(offset_, other.offset_);
  std::swap(num_skipped_, other.num_skipped_), std::swap(has_more_, other.has_more_);
  return *this;
}

Result<std::vector<EventRecord>> EventLogReader::poll() {
  struct stat here {
  }, there{};
  if (::fstat(fd_, &here) != 0) return fileError(path_, "read the event log");
  if (::stat(path_.c_str(), &there) != 0) return fileError(path_, "find the event log again");
  if (here.st_ino != there.st_ino || here.st_dev != there.st_dev)
    return Error{fmt::format("{}: the event log was replaced while it was being followed", path_.string())};
  if (here.st_size < offset_)
    return Error{fmt::format("{}: the event log shrank from {} to {} bytes", path_.string(), offset_, here.st_size)};

  std::vector<EventRecord> events;
  has_more_ = false;
  std::size_t limit = kMaxPollBytes;
  std::string text;
  std::size_t end = std::string::npos;
  for (;; limit *= 2) {  // a line longer than the limit needs a larger one
    const auto available = static_cast<std::size_t>(here.st_size - offset_);
    text = readAt(fd_, offset_, std::min(available, limit));
    end = text.rfind('\n');
    has_more_ = end != std::string::npos && text.size() < available;
    if (end != std::string::npos || text.size() == available || text.size() < limit) break;
    if (limit >= kMaxLineBytes) return Error{fmt::format("{}: a line of more than {} bytes", path_.string(), limit)};
  }
  if (end == std::string::npos) return events;
  for (std::size_t start = 0; start <= end;) {
    const auto stop = text.find('\n', start);
    const auto line = std::string_view(text).substr(start, stop - start);
    start = stop + 1;
    if (line.empty()) continue;
    auto event = eventFromJson(line);
    if (event && event->has_value())
      events.push_back(std::move(**event));
    else
      ++num_skipped_;
  }
  offset_ += static_cast<std::int64_t>(end) + 1;
  return events;
}

Result<std::vector<EventRecord>> readAllEvents(const std::filesystem::path& path) {
  auto reader = EventLogReader::open(path);
  if (!reader) return reader.error();
  std::vector<EventRecord> all;
  do {
    auto events = reader->poll();
    if (!events) return events.error();
    std::move(events->begin(), events->end(), std::back_inserter(all));
  } while (reader->hasMore());
  return all;
}

}  // namespace meanflow::base
