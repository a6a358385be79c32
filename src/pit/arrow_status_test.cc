// Goal: our errors pass through Arrow whole, and Arrow's come out with a code that fits and what the system
// said.
#include "pit/arrow_status.h"

#include <arrow/util/io_util.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace tidemark {
namespace {

TEST(ArrowStatus, OurErrorsPassThroughWhole) {
  for (const ErrorCode code : {ErrorCode::kCancelled, ErrorCode::kTypeMismatch, ErrorCode::kCorruption}) {
    const Error error{code, "what", "where"};
    const arrow::Status status = ToStatus(error);
    EXPECT_EQ(status.IsCancelled(), code == ErrorCode::kCancelled);
    const Error again = FromStatus(status);
    EXPECT_EQ(again.code, code);
    EXPECT_EQ(again.message, "what");
    EXPECT_EQ(again.context, "where");
  }
}

TEST(ArrowStatus, ArrowsErrorsGetACodeThatFits) {
  EXPECT_EQ(FromStatus(arrow::Status::OutOfMemory("x")).code, ErrorCode::kOutOfSpace);
  EXPECT_EQ(FromStatus(arrow::Status::CapacityError("x")).code, ErrorCode::kOutOfSpace);
  EXPECT_EQ(FromStatus(arrow::Status::IOError("x")).code, ErrorCode::kIo);
  EXPECT_EQ(FromStatus(arrow::Status::Cancelled("x")).code, ErrorCode::kCancelled);
  EXPECT_EQ(FromStatus(arrow::Status::TypeError("x")).code, ErrorCode::kTypeMismatch);
  EXPECT_EQ(FromStatus(arrow::Status::Invalid("x")).code, ErrorCode::kInvalidData);
  EXPECT_EQ(FromStatus(arrow::Status::NotImplemented("x")).code, ErrorCode::kUnsupported);
  EXPECT_EQ(FromStatus(arrow::Status::UnknownError("x")).code, ErrorCode::kInternal);
  EXPECT_EQ(FromStatus(arrow::Status::Invalid("x")).message, "x");
}

TEST(ArrowStatus, WhatTheSystemSaidIsKept) {
  const Error error = FromStatus(arrow::internal::IOErrorFromErrno(ENOSPC, "Error writing bytes"));
  EXPECT_NE(error.message.find("Error writing bytes"), std::string::npos);
  EXPECT_NE(error.message.find("No space left"), std::string::npos);
}

}  // namespace
}  // namespace tidemark
