// SPDX-License-Identifier: Apache-2.0
//
// Trainings that other programs run or ran: what their folders hold as the events of a run.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/base/events/training_event.h"
#include "core/base/result.h"

namespace meanflow::base {

/// A picture inside another file, written where events have a path: "FILE#OFFSET+SIZE".
struct PathPiece {
  std::string file;
  std::uint64_t offset = 0, size = 0;
};
std::string toPath(const PathPiece& piece);
/// Nothing for a path of the ordinary kind.
std::optional<PathPiece> piecePath(const std::string& path);

/// Reads, and follows while it grows, what is in a folder: TensorBoard event files (scalars under their own tags,
/// images as grids of one cell), log.txt with a line a step (SiT, DiT, mf-rae, RAE), and pictures named by their step.
/// Nothing is ever written. Each folder with event files and each log is a stage of the run, named by its place. Not
/// thread-safe.
class TraceFolder {
 public:
  /// A folder, or one event file or log of it. The error says why there is nothing to show.
  static Result<TraceFolder> open(const std::filesystem::path& path);
  TraceFolder(TraceFolder&&) noexcept;
  TraceFolder& operator=(TraceFolder&&) noexcept;
  ~TraceFolder();

  /// Events since the last call, about `max_events` at most, the first of them RunStarted.
  std::vector<EventRecord> poll(std::size_t max_events = 20'000);
  bool hasMore() const { return has_more_; }  ///< The last poll stopped at its limit.

  /// Files that cannot be read any further, a sentence each, which names file and byte.
  const std::map<std::string, std::string>& problems() const { return problems_; }
  /// "3 TensorBoard event files, log.txt as SiT, DiT and mf-rae write it, 12 pictures".
  std::string description() const;
  const std::filesystem::path& root() const { return root_; }  ///< A folder; paths of events are relative to it.
  std::size_t numEventFiles() const { return event_files_.size(); }
  std::size_t numLogs() const { return logs_.size(); }
  std::size_t numPictures() const { return pictures_.size(); }
  /// Bytes at the ends of event files that are no whole record: being written, or cut off.
  std::uint64_t numTornBytes() const;

 private:
  struct EventFile;
  struct LogFile;
  TraceFolder() = default;
  void look();
  void takePicture(const std::filesystem::path& file, std::vector<EventRecord>& events);
  void pollEventFile(EventFile& file, std::size_t max_events, std::vector<EventRecord>& events);
  void pollLog(LogFile& log, std::size_t max_events, std::vector<EventRecord>& events);
  void add(std::vector<EventRecord>& events, double unix_seconds, TrainingEvent event);

  std::filesystem::path root_, only_;
  std::vector<std::unique_ptr<EventFile>> event_files_;
  std::vector<std::unique_ptr<LogFile>> logs_;
  std::set<std::string> pictures_;  ///< Those already told of.
  std::vector<std::filesystem::path> new_pictures_;
  std::map<std::string, std::string> problems_;
  std::string name_;
  std::int64_t next_sequence_ = 0;
  int polls_until_look_ = 0;
  bool has_more_ = false;
  bool is_cut_ = false;  ///< There were more files than anyone looks at.
};

/// Whether the files in a folder, or a file, can be shown by a TraceFolder; looks no further than the first.
bool hasTraces(const std::filesystem::path& path);

}  // namespace meanflow::base
