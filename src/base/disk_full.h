// Which errors of the operating system say that there is no room.
#pragma once

#include <cerrno>

namespace tidemark {

/// The disk is full, or what the user, or the process, may write of it.
inline bool IsDiskFull(int error) {
  return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

}  // namespace tidemark
