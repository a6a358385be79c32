// A progress bar on stderr, in a terminal only.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "tidemark/store.h"

namespace tidemark::cli {

/// One line: `reading driver_stats [#####.....]  50%`, or a count while the total is unknown.
std::string RenderProgress(const Progress& progress, std::size_t width);

class ProgressBar {
 public:
  ProgressBar();
  ~ProgressBar() { Clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// Empty if stderr is not a terminal. The bar must outlive it.
  std::function<void(const Progress&)> Callback();
  /// Takes the bar off the screen.
  void Clear();

 private:
  void Draw(const Progress& progress);

  const bool enabled_;
  std::size_t drawn_ = 0;
  std::chrono::steady_clock::time_point next_draw_;
};

}  // namespace tidemark::cli
