// SPDX-License-Identifier: Apache-2.0
#include "core/base/run/trace_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>

#include "core/base/formats/step_log.h"
#include "core/base/formats/tensorboard_reader.h"

namespace meanflow::base {
namespace fs = std::filesystem;
namespace {

constexpr int kMaxDepth = 4;
constexpr std::size_t kMaxEntries = 50'000;  // of the folder tree: checkpoints of a large run come to thousands
constexpr std::size_t kMaxEventFiles = 256;  // each holds a file open
constexpr std::size_t kMaxLogs = 64;
constexpr std::size_t kMaxPictures = 20'000;
constexpr int kPollsBetweenLooks = 25;
constexpr std::size_t kLogChunk = 1 << 20;
constexpr std::size_t kMaxLine = 1 << 16;  // longer lines are passed over

bool isLogName(std::string_view name) { return name == "log.txt" || name == "train.log" || name == "log.log"; }

bool isPictureName(std::string_view name) {
  return name.ends_with(".png") || name.ends_with(".jpg") || name.ends_with(".jpeg");
}

bool isPassedOver(std::string_view folder) {
  return folder.starts_with(".") || folder == "wandb" || folder == "__pycache__" || folder == "node_modules";
}

/// The last number in the name of a file: "step_0001000", "0001000", "samples-1000-ema" (which has none behind it).
std::optional<std::int64_t> stepInName(const std::string& stem) {
  auto end = stem.find_last_of("0123456789");
  if (end == std::string::npos) return std::nullopt;
  auto begin = end;
  while (begin > 0 && stem[begin - 1] >= '0' && stem[begin - 1] <= '9') --begin;
  std::int64_t step = 0;
  const auto [stop, status] = std::from_chars(stem.data() + begin, stem.data() + end + 1, step);
  if (status != std::errc() || stop != stem.data() + end + 1) return std::nullopt;
  return step;
}

/// Calls `each` for the files below a folder, those of one folder by name; it says whether to go on.
bool walk(const fs::path& folder, int depth, std::size_t& entries, const std::function<bool(const fs::path&)>& each) {
  std::error_code code;
  std::vector<fs::path> files, folders;
  for (auto it = fs::directory_iterator(folder, fs::directory_options::skip_permission_denied, code);
       !code && it != fs::end(it); it.increment(code)) {
    if (++entries > kMaxEntries) break;
    std::error_code ignored;
    if (it->is_directory(ignored) && !it->is_symlink(ignored)) {
      if (depth < kMaxDepth && !isPassedOver(it->path().filename().string())) folders.push_back(it->path());
    } else if (it->is_regular_file(ignored)) {
      files.push_back(it->path());
    }
  }
  std::sort(files.begin(), files.end());
  std::sort(folders.begin(), folders.end());
  for (const auto& file : files)
    if (!each(file)) return false;
  for (const auto& next : folders)
    if (entries > kMaxEntries || !walk(next, depth + 1, entries, each)) return false;
  return entries <= kMaxEntries;
}

double writtenUnix(const fs::path& file) {
  struct stat status {};
  return ::stat(file.c_str(), &status) == 0 ? static_cast<double>(status.st_mtime) : 0;
}

/// The place of a file's folder below the root, "." for the root itself.
std::string placeOf(const fs::path& file, const fs::path& root) {
  const auto place = file.parent_path().lexically_relative(root).generic_string();
  return place.empty() ? "." : place;
}

}  // namespace

std::string toPath(const PathPiece& piece) { return fmt::format("{}#{}+{}", piece.file, piece.offset, piece.size); }

std::optional<PathPiece> piecePath(const std::string& path) {
  const auto hash = path.rfind('#');
  if (hash == std::string::npos) return std::nullopt;
  PathPiece piece{path.substr(0, hash)};
  const char* at = path.data() + hash + 1;
  const char* end = path.data() + path.size();
  const auto offset = std::from_chars(at, end, piece.offset);
  if (offset.ec != std::errc() || offset.ptr == end || *offset.ptr != '+') return std::nullopt;
  const auto size = std::from_chars(offset.ptr + 1, end, piece.size);
  if (size.ec != std::errc() || size.ptr != end) return std::nullopt;
  return piece;
}

struct TraceFolder::EventFile {
  fs::path path;
  std::string stage;
  TensorboardReader reader;
  bool is_announced = false;
  bool is_broken = false;
};

struct TraceFolder::LogFile {
  fs::path path;
  std::string stage;
  int fd = -1;
  std::uint64_t offset = 0;
  std::string rest;  ///< The line that has not ended yet.
  bool is_line_too_long = false;
  bool is_announced = false;
  std::optional<StepLine::Style> style;
  std::int64_t last_step = 0;
  double last_unix = 0;

  ~LogFile() {
    if (fd >= 0) ::close(fd);
  }
};

TraceFolder::TraceFolder(TraceFolder&&) noexcept = default;
TraceFolder& TraceFolder::operator=(TraceFolder&&) noexcept = default;
TraceFolder::~TraceFolder() = default;

Result<TraceFolder> TraceFolder::open(const fs::path& path) {
  std::error_code code;
  TraceFolder folder;
  const fs::path absolute = fs::absolute(path.has_filename() ? path : path.parent_path(), code).lexically_normal();
  if (fs::is_directory(absolute, code)) {
    folder.root_ = absolute;
  } else if (fs::is_regular_file(absolute, code)) {
    folder.root_ = absolute.parent_path();
    folder.only_ = absolute;
  } else {
    return Error{fmt::format("{}: no such file or folder", path.string()), ErrorKind::kUsage};
  }
  folder.name_ = folder.root_.filename().string();
  folder.look();
  if (folder.event_files_.empty() && folder.logs_.empty() && folder.new_pictures_.empty() && folder.problems_.empty())
    return Error{fmt::format("{}: holds no TensorBoard event file, no log.txt with a line a step and no picture named "
                             "by its step",
                             path.string()),
                 ErrorKind::kUsage};
  return folder;
}

void TraceFolder::look() {
  const auto take = [this](const fs::path& file) {
    const std::string name = file.filename().string();
    if (isTensorboardName(name)) {
      const bool is_known =
          std::any_of(event_files_.begin(), event_files_.end(), [&](const auto& known) { return known->path == file; });
      if (is_known || problems_.contains(file.string())) return true;
      if (event_files_.size() >= kMaxEventFiles) return is_cut_ = true;
      auto reader = TensorboardReader::open(file);
      if (!reader) {
        problems_[file.string()] = reader.error().message;
        return true;
      }
      const std::string place = placeOf(file, root_);
      event_files_.push_back(
          std::make_unique<EventFile>(EventFile{file, place == "." ? "tensorboard" : place, std::move(*reader)}));
    } else if (isLogName(name) || file == only_) {
      const bool is_known =
          std::any_of(logs_.begin(), logs_.end(), [&](const auto& known) { return known->path == file; });
      if (is_known || problems_.contains(file.string())) return true;
      if (logs_.size() >= kMaxLogs) return is_cut_ = true;
      auto log = std::make_unique<LogFile>();
      log->path = file;
      log->stage = file.lexically_relative(root_).generic_string();
      log->fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
      if (log->fd < 0) {
        problems_[file.string()] = fmt::format("{}: cannot open: {}", file.string(), std::strerror(errno));
        return true;
      }
      logs_.push_back(std::move(log));
    } else if (isPictureName(name) && stepInName(file.stem().string())) {
      const std::string relative = file.lexically_relative(root_).generic_string();
      if (pictures_.size() >= kMaxPictures || !pictures_.insert(relative).second) return true;
      new_pictures_.push_back(file);
    }
    return true;
  };
  if (!only_.empty()) {
    take(only_);
    return;
  }
  std::size_t entries = 0;
  if (!walk(root_, 0, entries, take)) is_cut_ = true;
}

void TraceFolder::add(std::vector<EventRecord>& events, double unix_seconds, TrainingEvent event) {
  events.push_back({next_sequence_++, unix_seconds, std::move(event)});
}

void TraceFolder::takePicture(const fs::path& file, std::vector<EventRecord>& events) {
  SamplesReady samples;
  samples.stage = placeOf(file, root_);
  if (samples.stage == ".") samples.stage = "pictures";
  samples.step = stepInName(file.stem().string()).value_or(0);
  samples.path = file.lexically_relative(root_).generic_string();
  samples.rows = samples.columns = 1;  // a grid's cells are not told
  samples.what = "picture";
  samples.nfe = 0;  // nor how they were made
  add(events, writtenUnix(file), std::move(samples));
}

void TraceFolder::pollEventFile(EventFile& file, std::size_t max_events, std::vector<EventRecord>& events) {
  if (file.is_broken) return;
  const auto read = file.reader.poll(max_events);
  if (!read) {
    file.is_broken = true;
    problems_[file.path.string()] = read.error().message;
    return;
  }
  has_more_ = has_more_ || read->size() >= max_events;
  if (!file.is_announced && !read->empty()) {
    file.is_announced = true;
    const bool is_first = std::none_of(event_files_.begin(), event_files_.end(), [&](const auto& other) {
      return other.get() != &file && other->is_announced && other->stage == file.stage;
    });
    if (is_first) add(events, read->front().wall_time, StageStarted{file.stage, 0, 0, 0});
  }
  StepCompleted step;
  double step_unix = 0;
  const auto flush = [&] {
    if (step.scalars.empty()) return;
    step.stage = file.stage;
    add(events, step_unix, std::exchange(step, {}));
  };
  for (const auto& event : *read) {
    // A file that goes on after an interruption voids what was written for the steps it repeats.
    if (event.is_session_start && event.step > 0) {
      flush();
      add(events, event.wall_time, StageStarted{file.stage, event.step - 1, 0, 0});
    }
    for (const auto& scalar : event.scalars) {
      // A tag twice for one step: two points, the later one holds.
      const bool is_repeated = std::any_of(step.scalars.begin(), step.scalars.end(),
                                           [&](const Scalar& known) { return known.name == scalar.tag; });
      if (event.step != step.step || is_repeated) flush();
      step.step = event.step;
      step_unix = event.wall_time;
      step.scalars.push_back({scalar.tag, scalar.value});
    }
    for (const auto& image : event.images) {
      SamplesReady samples;
      samples.stage = file.stage;
      samples.step = event.step;
      samples.what = image.tag;
      samples.nfe = 0;
      samples.rows = samples.columns = 1;
      samples.path = toPath({file.path.lexically_relative(root_).generic_string(), image.offset, image.size});
      add(events, event.wall_time, std::move(samples));
    }
  }
  flush();
}

void TraceFolder::pollLog(LogFile& log, std::size_t max_events, std::vector<EventRecord>& events) {
  const std::size_t begin = events.size();
  const auto take = [&](std::string_view line) {
    const auto found = parseStepLine(line);
    if (!found) {
      if (const double time = timeOfLine(line); time > 0) log.last_unix = time;
      if (auto text = withoutEscapes(line); !text.empty())
        add(events, log.last_unix, LogMessage{"info", std::move(text)});
      return;
    }
    if (!log.style) log.style = found->style;
    if (found->unix_seconds > 0) log.last_unix = found->unix_seconds;
    if (found->step >= 0) {
      // A run taken up again writes the steps since its checkpoint anew.
      if (found->step < log.last_step) add(events, log.last_unix, StageStarted{log.stage, found->step - 1, 0, 0});
      log.last_step = found->step;
    }
    if (!std::exchange(log.is_announced, true)) add(events, log.last_unix, StageStarted{log.stage, 0, 0, 0});
    StepCompleted step;
    step.stage = log.stage;
    step.step = log.last_step;
    for (const auto& value : found->values) step.scalars.push_back({value.name, value.value});
    add(events, log.last_unix, std::move(step));
  };
  std::string chunk(kLogChunk, '\0');
  while (events.size() - begin < max_events) {
    struct stat status {};
    if (::fstat(log.fd, &status) == 0 && static_cast<std::uint64_t>(status.st_size) < log.offset) {
      problems_[log.path.string()] = fmt::format("{}: was shortened at byte {}", log.path.string(), status.st_size);
      return;
    }
    const ssize_t got = ::pread(log.fd, chunk.data(), chunk.size(), static_cast<off_t>(log.offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      problems_[log.path.string()] =
          fmt::format("{}: cannot be read at byte {}: {}", log.path.string(), log.offset, std::strerror(errno));
      return;
    }
    if (got == 0) return;
    log.offset += static_cast<std::uint64_t>(got);
    std::string_view text(chunk.data(), static_cast<std::size_t>(got));
    for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
      if (!log.is_line_too_long && log.rest.size() + end <= kMaxLine) {
        log.rest += text.substr(0, end);
        take(log.rest);
      }
      log.rest.clear();
      log.is_line_too_long = false;
      text.remove_prefix(end + 1);
    }
    if (log.rest.size() + text.size() > kMaxLine) {
      log.rest.clear();
      log.is_line_too_long = true;
    } else {
      log.rest += text;
    }
  }
  has_more_ = true;
}

std::vector<EventRecord> TraceFolder::poll(std::size_t max_events) {
  std::vector<EventRecord> events;
  has_more_ = false;
  if (next_sequence_ == 0) {
    RunStarted started;
    started.run_name = name_;
    started.num_workers = 0;  // nobody says how many; device-hours are not counted then
    double first = 0;
    for (const auto& file : event_files_) first = std::max(first, writtenUnix(file->path));
    for (const auto& log : logs_) first = std::max(first, writtenUnix(log->path));
    add(events, first, std::move(started));
  } else if (only_.empty() && polls_until_look_-- <= 0) {
    polls_until_look_ = kPollsBetweenLooks;
    look();
  }
  const auto room = [&] { return max_events > events.size() ? max_events - events.size() : std::size_t{1}; };
  for (auto& log : logs_) pollLog(*log, room(), events);
  for (auto& file : event_files_) pollEventFile(*file, room(), events);
  for (const auto& picture : new_pictures_) takePicture(picture, events);
  new_pictures_.clear();
  return events;
}

std::uint64_t TraceFolder::numTornBytes() const {
  std::uint64_t bytes = 0;
  for (const auto& file : event_files_)
    if (!file->is_broken) bytes += file->reader.numTornBytes();
  return bytes;
}

std::string TraceFolder::description() const {
  std::vector<std::string> parts;
  const auto count = [](std::size_t number, const char* one, const char* many) {
    return number == 1 ? fmt::format("1 {}", one) : fmt::format("{} {}", number, many);
  };
  if (!event_files_.empty())
    parts.push_back(count(event_files_.size(), "TensorBoard event file", "TensorBoard event files"));
  for (const auto& log : logs_) {
    if (parts.size() > 8) break;
    parts.push_back(log->stage + (!log->style                                   ? ""
                                  : *log->style == StepLine::Style::kStepEquals ? " as SiT, DiT and mf-rae write it"
                                                                                : " as RAE writes it"));
  }
  if (!pictures_.empty()) parts.push_back(count(pictures_.size(), "picture", "pictures"));
  if (is_cut_) parts.push_back("more files than are looked at");
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

bool hasTraces(const fs::path& path) {
  std::error_code code;
  const auto is_trace = [](const fs::path& file) {
    const std::string name = file.filename().string();
    return isTensorboardName(name) || isLogName(name);
  };
  if (fs::is_regular_file(path, code)) return is_trace(path);
  std::size_t entries = 0;
  bool is_found = false;
  if (fs::is_directory(path, code))
    walk(path, 0, entries, [&](const fs::path& file) { return !(is_found = is_trace(file)); });
  return is_found;
}

}  // namespace meanflow::base
